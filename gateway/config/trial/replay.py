"""Messages of the audit decided again by another policy, counted: what `sealpost simulate` tells.

Roll-out modes play no part: what was only observed counts as what it would have been, and the other policy is taken
as if it were enforced.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.config.trial.compare import Change, End, compare, end, is_copy
from gateway.config.trial.reread import Reader, reader_of, reread
from gateway.core.address import BadAddress, parse_address
from gateway.core.decide import Ruling, decide
from gateway.core.decision import Decision, Open
from gateway.core.facts import Facts
from gateway.core.policy import Policy
from gateway.spool.past import Past

_ORDER = {change: number for number, change in enumerate(Change)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The policy to be tried, and how messages were read under each policy that is still known, by its hash."""

    policy: Policy
    readers: Mapping[str, Reader]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One recipient for whom something changes; ``why`` is why the policy tried decides so."""

    change: Change
    queue_id: str
    recipient: str
    was: End
    would: End
    why: str

    @property
    def order(self) -> tuple[int, str, str]:
        """Those that lose protection first, then the oldest."""
        return _ORDER[self.change], self.queue_id, self.recipient


@dataclass(slots=True)
class Tally:
    """What came out. ``rules`` and ``routes`` count what changes as (was, would); ``unknown`` why nothing can be said.

    ``changes`` holds the first ``limit`` of them only.
    """

    limit: int
    messages: int = 0
    damaged: int = 0
    changes: list[Changed] = field(default_factory=list[Changed])
    kinds: Counter[Change] = field(default_factory=Counter[Change])
    rules: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    routes: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    unknown: Counter[str] = field(default_factory=Counter[str])

    def add(self, more: "Tally") -> None:
        """Both together."""
        self.messages += more.messages
        self.damaged += more.damaged
        self.kinds += more.kinds
        self.rules += more.rules
        self.routes += more.routes
        self.unknown += more.unknown
        self.changes = heapq.nsmallest(self.limit, (*self.changes, *more.changes), key=lambda each: each.order)


def replay(messages: Iterable[Past], candidate: Candidate, limit: int) -> Tally:
    """Decides all of them again."""
    tally = Tally(limit)
    found: list[Changed] = []
    for message in messages:
        tally.messages += 1
        found += _replay_one(message, candidate, tally)
    tally.changes = heapq.nsmallest(limit, found, key=lambda each: each.order)
    return tally


def _replay_one(message: Past, candidate: Candidate, tally: Tally) -> list[Changed]:
    then = candidate.readers.get(message.policy_hash)
    facts = reread(message.facts, then, reader_of(candidate.policy))
    found: list[Changed] = []
    for address, decision in message.decisions:
        if is_copy(decision):
            continue
        if facts is None:
            _not_recorded(tally, "what the labels and marks say under the other policy")
        elif (changed := _decide(message.queue_id, address, decision, facts, candidate.policy, tally)) is not None:
            found.append(changed)
    return found


def _decide(
    queue_id: str, address: str, decision: Decision, facts: Facts, policy: Policy, tally: Tally
) -> Changed | None:
    """What changes for this recipient, counted; None if nothing does, or if it cannot be told."""
    try:
        ruling = decide(facts, parse_address(address), policy)
    except BadAddress:
        _not_recorded(tally, "an address that cannot be read")
        return None
    was, would = end(decision, policy.routes), end(ruling.decision, policy.routes)
    change = compare(was, would)
    if change is Change.UNRECORDED:
        _not_recorded(tally, *_reasons(was, ruling))
        return None
    tally.kinds[change] += 1
    if was.rule != would.rule or change is not Change.NONE:
        tally.rules[was.rule, would.rule] += 1
    if change is Change.NONE:
        return None
    tally.routes[was.route_text, would.route_text] += 1
    return Changed(
        change=change, queue_id=queue_id, recipient=address, was=was, would=would, why=ruling.decision.reason
    )


def _not_recorded(tally: Tally, *reasons: str) -> None:
    tally.kinds[Change.UNRECORDED] += 1
    for reason in reasons:
        tally.unknown[reason] += 1


def _reasons(was: End, ruling: Ruling) -> tuple[str, ...]:
    if isinstance(ruling.decision, Open):
        lacks = sorted({lookup.value for lookup, _ in ruling.lacks})
        return tuple(lacks) or (f"what the rule “{ruling.decision.rule}” looks for",)
    if was.action == "open":
        return ("how it was decided",)
    return ("what a route gave that does not exist any more",)
