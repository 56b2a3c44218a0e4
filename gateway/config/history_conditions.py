"""``look_alike``, ``first_contact``, ``resent_lower`` and ``resembles_sender`` in a ``when`` table."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from gateway.config.names import Names, Reader, read_party
from gateway.config.page import as_table
from gateway.core.conditions.base import Condition
from gateway.core.conditions.history import FirstContact, LooksAlike, ResemblesSender, ResentLower
from gateway.core.domains import DomainSet
from gateway.core.lookalike import LookAlikes
from gateway.core.registers.schools import SchoolType

_FREE_MAIL: Final = "group:free-mail"


def _look_alike(value: object, names: Names) -> Condition:
    _true(value)
    partners, schools = names.registers.partners, names.registers.schools
    inside = names.organisation.domains
    trusted = inside.exact.union(partners.domains)
    # Below *.gov.uk or *.derbyshire.sch.uk many have a name, and being there makes none of them known: wildcards of
    # groups are left out, and so are those under which everybody is at a school.
    shared = {domain for domain, school in schools.below.items() if school.type is SchoolType.UNKNOWN}
    exact = trusted.union(schools.domains.keys() - shared, *(group.domains.exact for group in names.groups.values()))
    below = inside.below.union(partners.below, schools.below.keys() - shared)
    return LooksAlike(_look_alikes(DomainSet(exact, below), trusted))


@lru_cache(maxsize=2)
def _look_alikes(known: DomainSet, trusted: frozenset[str]) -> LookAlikes:
    """All rules of a policy share one: it takes a second to make for tens of thousands of domains."""
    return LookAlikes(known, trusted)


def _first_contact(value: object, _names: Names) -> Condition:
    _true(value)
    return FirstContact()


def _resent_lower(value: object, names: Names) -> Condition:
    _true(value)
    return ResentLower(names.levels)


def _resembles_sender(value: object, names: Names) -> Condition:
    """True needs a group of that name; a table names another one."""
    if value is True:
        return ResemblesSender(read_party(_FREE_MAIL, names))
    table = as_table(value)
    group = table.get("free_mail")
    if set(table) != {"free_mail"} or not isinstance(group, str):
        raise ValueError(f'this is true, or names a group as in {{ free_mail = "{_FREE_MAIL}" }}')
    return ResemblesSender(read_party(group, names))


def _true(value: object) -> None:
    if value is not True:
        raise ValueError("this is true; the opposite is said with `not`")


HISTORY_READERS: Final[Mapping[str, Reader]] = {
    "look_alike": _look_alike,
    "first_contact": _first_contact,
    "resent_lower": _resent_lower,
    "resembles_sender": _resembles_sender,
}
