"""The rules that matter for one recipient: those that match or may match, in the order in which they are settled.

Conditions are asked for their truth alone; why they matched is said by whoever needs the words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from gateway.core.conditions.base import Need, Seen
from gateway.core.decision import Truth
from gateway.core.facts import Classification, Facts
from gateway.core.policy import Action, Choice, GoOn, Hold, Policy, Reject, Rule, Send
from gateway.core.template import Template
from gateway.core.tls import Protection

_GO_ON: Final = GoOn()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that matches or may match. ``seen`` holds the level at its place, ``action`` what it comes to here."""

    rule: Rule
    truth: Truth
    action: Action
    seen: Seen

    @property
    def why(self) -> str:
        """Why it matches, or cannot be told."""
        return "it has no condition" if self.rule.when is None else self.rule.when.why(self.seen)

    @property
    def lacks(self) -> tuple[Need, ...]:
        """The outside facts without which it cannot be told."""
        return () if self.rule.when is None else self.rule.when.lacks(self.seen)

    @property
    def is_end(self) -> bool:
        """Whether nothing that is settled behind it matters: it decides, or the level of all that follows is open."""
        if self.truth is Truth.MATCH:
            return isinstance(self.action, Send | Reject)
        return isinstance(self.action, GoOn)

    def fill(self, template: Template, contact: str) -> str:
        """The sentence with its words, which are only gathered where it has places for them."""
        return template.fill(self._words(contact)) if "{" in template.text else template.text

    def _words(self, contact: str) -> Mapping[str, str]:
        facts, recipient = self.seen.facts, self.seen.recipient
        found: Mapping[str, str] = {}
        if self.rule.when is not None and self.truth is Truth.MATCH:
            found = self.rule.when.words(self.seen)
        return {
            "recipient": str(recipient),
            "domain": recipient.domain,
            "sender": facts.sender,
            "level": facts.classification.level,
            "contact": contact,
            **found,
        }


def search(seen: Seen, policy: Policy) -> list[Candidate]:
    """The candidates in the order in which they are settled; the last of them, and no other, is an end."""
    found = list(_walk(seen, policy))
    return found if policy.choose is Choice.FIRST else _most_secure_first(found, policy)


def action_of(rule: Rule, facts: Facts) -> Action:
    """Its action, but for a rule that a one-time token lets the message pass: there the search goes on."""
    stops = isinstance(rule.action, Reject | Hold)
    return _GO_ON if stops and rule.overridable and rule.name in facts.overridden else rule.action


def lifted(seen: Seen, rule: Rule, policy: Policy) -> Seen:
    """What is seen behind a rule that raises the level; the same where it is as high already."""
    level = rule.wishes.raises
    if level is None:
        return seen
    found, levels = seen.facts.classification, policy.reading.levels
    # A level that this policy does not know is above all others: it has the highest floor.
    if found.level not in levels or levels.index(level) <= levels.index(found.level):
        return seen
    source = f"raised by `{rule.name}` from {found.level}, {found.source}"
    raised = Classification(level=level, source=source, labels=found.labels)
    return replace(seen, facts=replace(seen.facts, classification=raised))


def _walk(seen: Seen, policy: Policy, after: int = -1) -> Iterator[Candidate]:
    """In the order of the rules, from behind the position ``after``."""
    rules, first = policy.rules, policy.choose is Choice.FIRST
    for position in policy.index.rules_for(seen):
        if position <= after:
            continue
        rule = rules[position]
        truth = Truth.MATCH if rule.when is None else rule.when.truth(seen)
        if truth is Truth.NO_MATCH:
            continue
        candidate = Candidate(rule, truth, action_of(rule, seen.facts), seen)
        behind = lifted(seen, rule, policy)
        if truth is Truth.UNKNOWN and behind is seen and isinstance(candidate.action, GoOn):
            # A remark that cannot be told blocks nothing, unless the level of all that follows hangs on it.
            continue
        yield candidate
        if candidate.is_end and (first or truth is Truth.UNKNOWN):
            return
        if behind is not seen:
            yield from _walk(behind, policy, position)
            return


def _most_secure_first(found: list[Candidate], policy: Policy) -> list[Candidate]:
    """Ordered by what protects most, up to the first end. All see the level that the message has at last."""
    at_last = found[-1].seen
    ordered = sorted(found, key=lambda candidate: rank(candidate.action, candidate.truth, policy))
    end = next(at for at, candidate in enumerate(ordered) if candidate.is_end)
    return [replace(candidate, seen=at_last) for candidate in ordered[: end + 1]]


def rank(action: Action, truth: Truth, policy: Policy) -> int:
    """Lower protects more: remarks hold for all, then reject, a level that is open, hold, and the better chains."""
    match action:
        case GoOn():
            return 0 if truth is Truth.MATCH else 2
        case Reject():
            return 1
        case Hold():
            return 3
        case Send(chain):
            gives = [policy.routes[name].gives for name in chain if name in policy.routes]
            return 4 + Protection.SEALED - min(gives, default=Protection.SEALED)
        case _:
            assert_never(action)
