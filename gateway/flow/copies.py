"""Copies for the record: each mailbox that a rule names gets one more delivery of the same message (mission R7).

A copy is a recipient of its own with a decision of its own, by the way that inside mail takes. Nobody is told of its
end (NOTIFY=NEVER): it is audited. A recipient that is refused, or would be but for the soft mode, causes none: nothing
was disclosed to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gateway.core.address import Address, parse_address
from gateway.core.decide import decide
from gateway.core.decision import Decision, Open, Refused, Routed
from gateway.core.envelope import Notify, Recipient
from gateway.core.facts import Facts
from gateway.core.policy import Policy
from gateway.core.refusal import softly_refused

MOST_COPIES: Final = 20
"""Copies of one message; a policy names one or two mailboxes."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The further recipients, and how many mailboxes get none because there are too many."""

    made: tuple[tuple[Recipient, Routed], ...]
    missed: int


def copies(decided: Sequence[tuple[Recipient, Decision]], facts: Facts, policy: Policy, otherwise: str) -> Copies:
    """One for each mailbox, each once and none that gets the message already.

    ``otherwise`` is the route of a mailbox that the policy would not send to at once.
    """
    present = {recipient.address.key for recipient, _ in decided}
    wanted: dict[str, tuple[Address, str]] = {}
    for mailbox, rule in _asked_for(decision for _, decision in decided):
        address = parse_address(mailbox)
        if address.key not in present:
            wanted.setdefault(address.key, (address, rule))
    made = tuple(
        (Recipient(address=address, notify=frozenset({Notify.NEVER})), _way(address, rule, facts, policy, otherwise))
        for address, rule in islice(wanted.values(), MOST_COPIES)
    )
    return Copies(made, len(wanted) - len(made))


def _asked_for(decisions: Iterable[Decision]) -> Iterable[tuple[str, str]]:
    for decision in decisions:
        if not isinstance(decision, Refused) and not (isinstance(decision, Open) and softly_refused(decision)):
            yield from ((mailbox, decision.rule) for mailbox in decision.effects.copies)


def _way(address: Address, rule: str, facts: Facts, policy: Policy, otherwise: str) -> Routed:
    """As the policy sends to that mailbox; never below the floor that it finds there."""
    found = decide(facts, address, policy).decision
    routed = found if isinstance(found, Routed) else None
    return Routed(
        rule=f"copy for the record: {rule}",
        chain=routed.chain if routed is not None else (otherwise,),
        floor=found.floor,
        original_floor=routed.original_floor if routed is not None else found.floor,
        reason=f"a copy for the record, because of a recipient that the rule {rule} decided",
        advice="",
        lowered_because=routed.lowered_because if routed is not None else None,
    )
