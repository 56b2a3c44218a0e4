"""Deciding with outside facts: decide, look up only what an open decision lacks, decide these again.

The decision itself is `core.decide`, what a roll-out mode makes of it `core.observing`; nothing here knows a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from gateway.core.address import Address
from gateway.core.conditions.base import sender_of
from gateway.core.decide import Ruling, decide
from gateway.core.decision import Decision, Open
from gateway.core.facts import Facts
from gateway.core.modes import Rollout
from gateway.core.observing import apply
from gateway.core.policy import Policy
from gateway.flow.ports import Lookups


@dataclass(frozen=True, slots=True)
class Rulings:
    """The facts, with the outside ones that were looked up, and one decision for each address, in order."""

    facts: Facts
    decisions: tuple[Decision, ...]


async def rule(
    facts: Facts,
    recipients: Sequence[Address],
    policy: Policy,
    lookups: Lookups,
    wait: timedelta,
    *,
    rollouts: Sequence[Rollout] = (),
    at: datetime | None = None,
) -> Rulings:
    """Decides for all recipients; what has to be looked up is looked up for all at once, within one ``wait``.

    ``rollouts`` are those beside the policy's own, which come before them. ``at`` is the time that the modes are asked
    for: when the message was read, unless it is decided again later.
    """
    known, rulings = await _decided(facts, recipients, policy, lookups, wait)
    modes = (*policy.rollouts, *rollouts)
    sender = sender_of(facts)
    applied = [apply(ruling, sender, modes, policy, at or facts.at) for ruling in rulings] if modes else rulings
    return Rulings(known, tuple(ruling.decision for ruling in applied))


async def _decided(
    facts: Facts, recipients: Sequence[Address], policy: Policy, lookups: Lookups, wait: timedelta
) -> tuple[Facts, list[Ruling]]:
    rulings = [decide(facts, recipient, policy) for recipient in recipients]
    lacks = frozenset(need for ruling in rulings for need in ruling.lacks)
    if not lacks:
        return facts, rulings
    found = await lookups.look_up(lacks, wait)
    known = replace(facts, outside=MappingProxyType({**facts.outside, **found}))
    return known, [
        decide(known, recipient, policy) if isinstance(ruling.decision, Open) else ruling
        for recipient, ruling in zip(recipients, rulings, strict=True)
    ]
