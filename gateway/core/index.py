"""Which rules can match a message at all, found by table: a long policy costs no more than the rules that it concerns.

Exact for level, button and automatic; for the recipient, the sender and what was found in the message by the groups
and detectors that a rule cannot do without. A rule that is left out certainly does not match; one that is not still has
to be asked. Left out on purpose: everything else, which is asked rule by rule.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final, Literal, TypeVar

from gateway.core.address import Address
from gateway.core.conditions.alone import Kind, alone
from gateway.core.conditions.base import Condition, Seen
from gateway.core.conditions.logic import All, AnyOf
from gateway.core.conditions.message import Finds
from gateway.core.conditions.party import PartyIs
from gateway.core.decision import Truth
from gateway.core.domains import Group
from gateway.core.facts import Intent

_T = TypeVar("_T")
_NONE: Final[tuple[int, ...]] = ()

MOST_KEYS: Final = 1000
"""A rule whose groups are larger is asked each time: that is quick too, and the tables stay small."""


@dataclass(frozen=True, slots=True)
class _Parties:
    """The positions of rules by the address, domain, or domain above, that they cannot do without."""

    addresses: Mapping[str, tuple[int, ...]]
    exact: Mapping[str, tuple[int, ...]]
    below: Mapping[str, tuple[int, ...]]

    def of(self, party: Address) -> tuple[int, ...]:
        """May hold a position twice."""
        domain = party.domain
        found = self.exact.get(domain, _NONE)
        if self.addresses:
            found += self.addresses.get(party.key, _NONE)
        if self.below and not domain.startswith("["):
            _, dot, parent = domain.partition(".")
            while dot:
                found += self.below.get(parent, _NONE)
                _, dot, parent = parent.partition(".")
        return found


@dataclass(frozen=True, slots=True)
class Index:
    """Positions of rules in their order.

    ``free`` are those bound to nothing, for each kind of mail; ``all_free`` is for levels that the policy does not
    know. ``finding`` are those bound to a detector, by its id: one that was never asked leaves its rules unknown.
    """

    free: Mapping[Kind, tuple[int, ...]]
    all_free: tuple[int, ...]
    recipients: _Parties
    senders: _Parties
    finding: Mapping[str, tuple[int, ...]]
    asked: frozenset[str]

    def rules_for(self, seen: Seen) -> Iterable[int]:
        """Every rule that may match, in order."""
        facts = seen.facts
        free = self.free.get((facts.classification.level, facts.intent, facts.automatic), self.all_free)
        bound = self.recipients.of(seen.recipient)
        if seen.sender is not None:
            bound += self.senders.of(seen.sender)
        for detector in facts.found | (self.asked - facts.looked):
            bound += self.finding.get(detector, _NONE)
        return sorted({*free, *bound}) if bound else free


def index_of(conditions: Sequence[Condition | None], levels: Sequence[str]) -> Index:
    """The tables for these rules' conditions."""
    recipients: list[tuple[int, Group]] = []
    senders: list[tuple[int, Group]] = []
    finding: dict[str, tuple[int, ...]] = {}
    free: list[int] = []
    for at, condition in enumerate(conditions):
        if (groups := _needed(condition, partial(_groups, "recipient"))) is not None and _size(groups) <= MOST_KEYS:
            recipients += [(at, group) for group in groups]
        elif (groups := _needed(condition, partial(_groups, "sender"))) is not None and _size(groups) <= MOST_KEYS:
            senders += [(at, group) for group in groups]
        elif (found := _needed(condition, _detectors)) is not None:
            finding |= {each: (*finding.get(each, _NONE), at) for each in found}
        else:
            free.append(at)
    kinds: list[Kind] = list(product(levels, Intent, (False, True)))
    return Index(
        free={kind: tuple(at for at in free if alone(conditions[at], kind) is not Truth.NO_MATCH) for kind in kinds},
        all_free=tuple(free),
        recipients=_parties(recipients),
        senders=_parties(senders),
        finding=finding,
        asked=frozenset(finding),
    )


def _groups(side: Literal["recipient", "sender"], condition: Condition) -> tuple[Group, ...] | None:
    return condition.groups if isinstance(condition, PartyIs) and condition.side == side else None


def _detectors(condition: Condition) -> tuple[str, ...] | None:
    return (condition.detector.id,) if isinstance(condition, Finds) else None


def _needed(condition: Condition | None, of: Callable[[Condition], tuple[_T, ...] | None]) -> tuple[_T, ...] | None:
    """The things of which one must hold, or the condition certainly does not match; None if it can do without."""
    match condition:
        case None:
            return None
        case All(parts):
            return next((each for part in parts if (each := _needed(part, of)) is not None), None)
        case AnyOf(parts):
            known = [each for part in parts if (each := _needed(part, of)) is not None]
            return tuple(one for each in known for one in each) if len(known) == len(parts) else None
        case _:
            return of(condition)


def _size(groups: Iterable[Group]) -> int:
    return sum(len(each.addresses) + len(each.domains.exact) + len(each.domains.below) for each in groups)


def _parties(bound: Sequence[tuple[int, Group]]) -> _Parties:
    return _Parties(
        addresses=_by_key(bound, lambda group: group.addresses),
        exact=_by_key(bound, lambda group: group.domains.exact),
        below=_by_key(bound, lambda group: group.domains.below),
    )


def _by_key(
    bound: Sequence[tuple[int, Group]], keys: Callable[[Group], Iterable[str]]
) -> Mapping[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for position, group in bound:
        for key in keys(group):
            found[key] = (*found.get(key, _NONE), position)
    return found
