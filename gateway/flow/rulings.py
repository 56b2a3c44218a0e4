"""Deciding with outside facts: decide, look up only what an open decision lacks, decide these again.

The decision itself is `core.decide`, what a roll-out mode makes of it `core.observing`; nothing here knows a rule.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

from gateway.core.address import Address
from gateway.core.conditions.base import sender_of
from gateway.core.decide import Ruling, decide
from gateway.core.decision import Decision, Open
from gateway.core.facts import Facts
from gateway.core.modes import Rollout
from gateway.core.observing import apply
from gateway.core.policy import Policy
from gateway.flow.ports import Lookups

_T = TypeVar("_T")
_AT_ONCE: Final = 50
"""Recipients that are decided without a pause; one takes a fraction of a millisecond."""


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
    applied = await _each(lambda one: apply(one, sender, modes, policy, at or facts.at), rulings) if modes else rulings
    return Rulings(known, tuple(ruling.decision for ruling in applied))


async def _decided(
    facts: Facts, recipients: Sequence[Address], policy: Policy, lookups: Lookups, wait: timedelta
) -> tuple[Facts, list[Ruling]]:
    rulings = await _each(lambda recipient: decide(facts, recipient, policy), recipients)
    lacks = frozenset(need for ruling in rulings for need in ruling.lacks)
    if not lacks:
        return facts, rulings
    found = await lookups.look_up(lacks, wait)
    known = replace(facts, outside=MappingProxyType({**facts.outside, **found}))
    still = [recipient for recipient, ruling in zip(recipients, rulings, strict=True) if _is_open(ruling)]
    again = iter(await _each(lambda recipient: decide(known, recipient, policy), still))
    return known, [next(again) if _is_open(ruling) else ruling for ruling in rulings]


def _is_open(ruling: Ruling) -> bool:
    return isinstance(ruling.decision, Open)


async def _each(work: Callable[[_T], Ruling], items: Iterable[_T]) -> list[Ruling]:
    """What it gives for each, in order; a long list lets others on the event loop have their turn."""
    done: list[Ruling] = []
    for item in items:
        done.append(work(item))
        if len(done) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return done
