"""Conditions on what the registers say of a recipient: mailbox, school, agreement, partner (mission M2, M6, M8, R2).

Registers are read with the policy, so nothing here has to be looked up outside. A register that cannot be read refuses
the whole policy; none of these conditions ever stands on half of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import assert_never

from gateway.core.address import BadAddress
from gateway.core.conditions.base import Condition, Seen, certain
from gateway.core.conditions.once import Same
from gateway.core.decision import Truth
from gateway.core.facts import Facts
from gateway.core.registers.directory import Directory, parse_member
from gateway.core.registers.mailboxes import Mailbox, MailboxKind
from gateway.core.registers.partners import Partner, Standing
from gateway.core.registers.schools import School, SchoolType


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the register says of To and Cc: the first mailbox of each kind and clearance, and whether it lists all."""

    mailboxes: tuple[Mailbox, ...]
    every: bool


@lru_cache(maxsize=8)
def _listed(visible: Same[tuple[str, ...]], register: Same[Mapping[str, Mailbox]]) -> _Listed:
    """The same for every rule and recipient of a message."""
    found = [register.value.get(_key(text)) for text in visible.value]
    first: dict[tuple[MailboxKind, frozenset[str]], Mailbox] = {}
    for mailbox in filter(None, found):
        first.setdefault((mailbox.kind, mailbox.cleared), mailbox)
    return _Listed(tuple(first.values()), every=None not in found)


def _key(text: str) -> str:
    try:
        return parse_member(text) if "@" in text else ""
    except BadAddress:
        return ""


@dataclass(frozen=True, slots=True)
class MailboxIs(Condition):
    """The recipient, or an address in To or Cc, is a shared mailbox or list of the register (M2, R9).

    To and Cc count, because Exchange expands lists before it hands a message over. ``cleared`` True asks for one whose
    readers may all see the message's level, False for one whose readers may not; None asks no such thing.

    Where To and Cc name more than was kept of them, those of the register were kept first (`read_visible`): no match is
    Unknown only if there was no room for anything else. A register that was loaded since, or is simulated, may list an
    address that was not kept; that cannot be told from what was, and counts as no match.
    """

    mailboxes: Mapping[str, Mailbox] = field(repr=False)
    kinds: frozenset[MailboxKind]
    cleared: bool | None = None

    def truth(self, seen: Seen) -> Truth:
        if self._match(seen) is not None:
            return Truth.MATCH
        return Truth.UNKNOWN if self._may_miss(seen.facts) else Truth.NO_MATCH

    def why(self, seen: Seen) -> str:
        found = self._match(seen)
        if found is not None:
            return (
                f"{found.address} is a {_MAILBOX[found.kind]}{self._clearance(found, seen)}; its owner is {found.owner}"
            )
        if self.truth(seen) is Truth.UNKNOWN:
            return "To and Cc name more addresses than were kept, so a mailbox of the register may be among them"
        wanted = " or ".join(sorted(_MAILBOX[kind] for kind in self.kinds))
        return f"neither the recipient nor To and Cc name a {wanted}{_CLEARED[self.cleared]}"

    def words(self, seen: Seen) -> Mapping[str, str]:
        found = self._match(seen)
        return {} if found is None else {"mailbox": found.address, "owner": found.owner}

    def _match(self, seen: Seen) -> Mailbox | None:
        if not self.mailboxes:
            return None
        if self._fits(found := self.mailboxes.get(seen.recipient.key), seen):
            return found
        return next((each for each in self._listed(seen.facts).mailboxes if self._fits(each, seen)), None)

    def _may_miss(self, facts: Facts) -> bool:
        """Whether one of the register may be among the addresses that were only counted: all that were kept are."""
        return bool(facts.visible_more and self.mailboxes) and self._listed(facts).every

    def _listed(self, facts: Facts) -> _Listed:
        return _listed(Same(facts.visible), Same(self.mailboxes))

    def _fits(self, mailbox: Mailbox | None, seen: Seen) -> bool:
        if mailbox is None or mailbox.kind not in self.kinds:
            return False
        return self.cleared is None or (seen.facts.classification.level in mailbox.cleared) is self.cleared

    def _clearance(self, mailbox: Mailbox, seen: Seen) -> str:
        if self.cleared is None:
            return ""
        level = seen.facts.classification.level
        return f" whose readers may {'' if level in mailbox.cleared else 'not '}all see the level {level}"


_MAILBOX = {
    MailboxKind.PERSON: "person's mailbox",
    MailboxKind.SHARED: "shared mailbox",
    MailboxKind.LIST: "distribution list",
}
_CLEARED = {None: "", True: " that is cleared for the level", False: " that is not cleared for the level"}


@dataclass(frozen=True, slots=True)
class SchoolIs(Condition):
    """The recipient is at a school of one of ``types`` and, unless ``logon`` is None, with or without logons (M8).

    A school of the type unknown counts as one without logons: nobody there is known to have one.
    """

    schools: Directory[School] = field(repr=False)
    types: frozenset[SchoolType]
    logon: bool | None = None

    def truth(self, seen: Seen) -> Truth:
        school = self.schools.of(seen.recipient)
        if school is None or school.type not in self.types:
            return Truth.NO_MATCH
        return certain(self.logon is None or school.logon is self.logon)

    def why(self, seen: Seen) -> str:
        school = self.schools.of(seen.recipient)
        if school is None:
            return f"{seen.recipient.domain} is no school of the register"
        if school.type is SchoolType.UNKNOWN:
            return f"{seen.recipient.domain} is where schools are, but no line of the register names it"
        return (
            f"{school.name} is a school ({school.type}) {'with' if school.logon else 'without'} logons for the portal"
        )


@dataclass(frozen=True, slots=True)
class AgreementIs(Condition):
    """How the agreement with the recipient's organisation stands for the message's level on the day of ``Facts.at``."""

    partners: Directory[Partner] = field(repr=False)
    wanted: frozenset[Standing]

    def truth(self, seen: Seen) -> Truth:
        partner = self.partners.of(seen.recipient)
        return certain(_standing(partner, seen) in self.wanted)

    def why(self, seen: Seen) -> str:
        partner, domain = self.partners.of(seen.recipient), seen.recipient.domain
        if partner is None:
            return f"{domain} is no partner of the register, so there is no agreement"
        named = f"the agreement{f' {partner.reference}' if partner.reference else ''} with {partner.name}"
        standing = _standing(partner, seen)
        match standing:
            case Standing.NONE:
                return f"the register has no agreement with {partner.name}"
            case Standing.EXPIRED:
                return f"{named} ended on {partner.expires}"
            case Standing.NOT_COVERING:
                return f"{named} does not cover the level {seen.facts.classification.level}"
            case Standing.VALID:
                return f"{named} covers the level {seen.facts.classification.level}"
            case _:
                assert_never(standing)

    def words(self, seen: Seen) -> Mapping[str, str]:
        return _words(self.partners.of(seen.recipient))


def _standing(partner: Partner | None, seen: Seen) -> Standing:
    if partner is None:
        return Standing.NONE
    return partner.standing(seen.facts.classification.level, seen.facts.at.date())


@dataclass(frozen=True, slots=True)
class PartnerIs(Condition):
    """The recipient is, or is not, at an organisation of the register of partners."""

    partners: Directory[Partner] = field(repr=False)
    wanted: bool

    def truth(self, seen: Seen) -> Truth:
        return certain((self.partners.of(seen.recipient) is not None) is self.wanted)

    def why(self, seen: Seen) -> str:
        return _partner_why(self.partners.of(seen.recipient), seen)

    def words(self, seen: Seen) -> Mapping[str, str]:
        return _words(self.partners.of(seen.recipient))


@dataclass(frozen=True, slots=True)
class CjsmAddressIs(Condition):
    """The recipient's organisation has, or has not, an address for criminal-justice mail (M6)."""

    partners: Directory[Partner] = field(repr=False)
    wanted: bool

    def truth(self, seen: Seen) -> Truth:
        partner = self.partners.of(seen.recipient)
        return certain(bool(partner and partner.cjsm_address) is self.wanted)

    def why(self, seen: Seen) -> str:
        partner = self.partners.of(seen.recipient)
        if partner is None:
            return _partner_why(partner, seen)
        return f"{partner.name} {'has a' if partner.cjsm_address else 'has no'} CJSM address in the register"

    def words(self, seen: Seen) -> Mapping[str, str]:
        return _words(self.partners.of(seen.recipient))


def _partner_why(partner: Partner | None, seen: Seen) -> str:
    domain = seen.recipient.domain
    return f"{domain} is no partner of the register" if partner is None else f"{domain} is {partner.name}'s"


def _words(partner: Partner | None) -> Mapping[str, str]:
    """What a sentence can say of a partner; what the register does not know is said in general."""
    if partner is None:
        return {}
    return {
        "partner": partner.name,
        "reference": partner.reference,
        "expires": f"{partner.expires:%d %B %Y}".lstrip("0") if partner.expires else "",
        "cjsm_address": partner.cjsm_address,
    }
