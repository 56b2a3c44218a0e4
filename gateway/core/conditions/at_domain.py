"""A condition's value when only the recipient's domain is known; anything else may or may not hold."""

from collections.abc import Iterable

from gateway.core.address import Address
from gateway.core.conditions.base import Condition, certain
from gateway.core.conditions.logic import All, AnyOf, Not, opposite
from gateway.core.conditions.party import PartyIs
from gateway.core.conditions.registers import PartnerIs
from gateway.core.decision import Truth
from gateway.core.domains import Group
from gateway.core.registers.directory import Directory
from gateway.core.registers.partners import Partner

ANYBODY = "postmaster"
"""A mailbox that every domain has (RFC 5321 section 4.5.1): what registers say of it, they say of the domain."""


def at_domain(condition: Condition | None, domain: str) -> Truth:
    """Match or no match where it is the same for every message to every mailbox there; no condition matches."""
    match condition:
        case None:
            return Truth.MATCH
        case PartyIs("recipient", groups):
            return _any([_in_group(group, domain) for group in groups])
        case PartnerIs(partners, wanted):
            return _is_partner(partners, domain, wanted=wanted)
        case Not(part):
            return opposite(at_domain(part, domain))
        case All(parts):
            return opposite(_any([opposite(at_domain(part, domain)) for part in parts]))
        case AnyOf(parts):
            return _any([at_domain(part, domain) for part in parts])
        case _:
            return Truth.UNKNOWN


def _any(values: list[Truth]) -> Truth:
    """Kleene's or."""
    return next((value for value in (Truth.MATCH, Truth.UNKNOWN) if value in values), Truth.NO_MATCH)


def _in_group(group: Group, domain: str) -> Truth:
    if domain in group.domains:
        return Truth.MATCH
    return Truth.UNKNOWN if _has_mailbox(group.addresses, domain) else Truth.NO_MATCH


def _is_partner(partners: Directory[Partner], domain: str, *, wanted: bool) -> Truth:
    known = partners.of(Address(ANYBODY, domain)) is not None
    if not known and _has_mailbox(partners.addresses, domain):
        return Truth.UNKNOWN
    return certain(known is wanted)


def _has_mailbox(addresses: Iterable[str], domain: str) -> bool:
    """Whether some mailbox there is named by its whole address."""
    return any(address.endswith(f"@{domain}") for address in addresses)
