"""Deciding with outside facts: decide, look up only what an open decision lacks, decide these again.

The decision itself is `core.decide`; nothing here knows a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from gateway.core.address import Address
from gateway.core.decide import decide
from gateway.core.decision import Decision, Open
from gateway.core.facts import Facts
from gateway.core.policy import Policy
from gateway.flow.ports import Lookups


@dataclass(frozen=True, slots=True)
class Rulings:
    """The facts, with the outside ones that were looked up, and one decision for each address, in order."""

    facts: Facts
    decisions: tuple[Decision, ...]


async def rule(
    facts: Facts, recipients: Sequence[Address], policy: Policy, lookups: Lookups, wait: timedelta
) -> Rulings:
    """Decides for all recipients; what has to be looked up is looked up for all at once, within one ``wait``."""
    rulings = [decide(facts, recipient, policy) for recipient in recipients]
    lacks = frozenset(need for ruling in rulings for need in ruling.lacks)
    if not lacks:
        return Rulings(facts, tuple(ruling.decision for ruling in rulings))
    found = await lookups.look_up(lacks, wait)
    known = replace(facts, outside=MappingProxyType({**facts.outside, **found}))
    decisions = tuple(
        decide(known, recipient, policy).decision if isinstance(ruling.decision, Open) else ruling.decision
        for recipient, ruling in zip(recipients, rulings, strict=True)
    )
    return Rulings(known, decisions)
