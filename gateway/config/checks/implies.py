"""Whether one condition certainly holds wherever another does, as far as their words tell.

Only what is written is compared: level, button, automatic, sizes, and the members of groups. Everything else implies
nothing but itself, so a "no" means "not that anybody could prove".
"""

from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf
from gateway.core.conditions.message import ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.party import PartyIs
from gateway.core.domains import DomainSet, Group


def implies(one: Condition, other: Condition) -> bool:
    """Whether ``other`` holds whenever ``one`` does."""
    if one == other:
        return True
    match one, other:
        case _, All(parts):
            return all(implies(one, part) for part in parts)
        case AnyOf(parts), _:
            return all(implies(part, other) for part in parts)
        case All(parts), _:
            return any(implies(part, other) for part in parts)
        case _, AnyOf(parts):
            return any(implies(one, part) for part in parts)
        case _:
            return _one_implies(one, other)


def _one_implies(one: Condition, other: Condition) -> bool:
    match one, other:
        case ClassificationIs(), ClassificationIs():
            return one.levels <= other.levels
        case IntentIs(), IntentIs():
            return one.intents <= other.intents
        case SizeIsOver(), SizeIsOver():
            return one.what == other.what and one.limit >= other.limit
        case PartyIs(), PartyIs():
            return one.side == other.side and all(_within(group, other.groups) for group in one.groups)
        case _:
            return False


def _within(group: Group, others: tuple[Group, ...]) -> bool:
    """Whether every member of the group is in one of the others."""
    return (
        all(_holds_address(key, others) for key in group.addresses)
        and all(any(domain in other.domains for other in others) for domain in group.domains.exact)
        and all(any(_holds_below(domain, other.domains) for other in others) for domain in group.domains.below)
    )


def _holds_address(key: str, others: tuple[Group, ...]) -> bool:
    domain = key.rpartition("@")[2]
    return any(key in other.addresses or domain in other.domains for other in others)


def _holds_below(domain: str, domains: DomainSet) -> bool:
    return domain in domains.below or domain in DomainSet(below=domains.below)
