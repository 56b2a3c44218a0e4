"""Survey: what the mail hosts of a domain are today, as seen by a connection that never says MAIL.

Values only, small and flat, because they are stored and shown; what is wrong with them is `core.survey_findings`'.
Left out on purpose: everything about messages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.core.grade import Grade
from gateway.core.pin import Pins
from gateway.core.registers.directory import Directory
from gateway.core.registers.partners import Partner
from gateway.core.sts import StsMode
from gateway.core.tls import Protection, Starttls

_RANKS: Final = {grade: number for number, grade in enumerate(Grade)}


def rank(grade: Grade | None) -> int:
    """A number that is larger for what is stronger; -1 where no mail would be handed over."""
    return -1 if grade is None else _RANKS[grade]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSeen:
    """A host's certificate, checked or not. ``fingerprint`` is its key's, as ``[[tls.pins]] fingerprints`` takes it."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: datetime | None
    fingerprint: str


class DaneState(StrEnum):
    """What is known of a host's TLSA records."""

    FOUND = "found"
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    INSECURE = "insecure"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaneSeen:
    """``records`` are those found; ``reason`` says why there are none, in one clause."""

    state: DaneState
    records: tuple[str, ...] = ()
    reason: str = ""


class StsState(StrEnum):
    """What is known of a domain's MTA-STS policy; ``STOPPED`` is a policy of mode none."""

    ENFORCE = "enforce"
    TESTING = "testing"
    STOPPED = "none"
    ABSENT = "absent"
    UNKNOWN = "unknown"

    @staticmethod
    def of(mode: StsMode) -> "StsState":
        """The state of a domain whose policy has that mode."""
        return StsState(mode.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StsSeen:
    """``id`` and ``max_age`` are the policy's; ``reason`` says why none is known, in one clause."""

    state: StsState
    id: str = ""
    max_age: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """One mail host, for mail to one domain.

    ``address`` is the one that answered, empty if none did. ``grade`` is what a message that asks for a checked
    certificate gets or, where that fails, what any other gets; None: no mail would be handed over now. ``why`` says
    why it is no better, in one sentence; empty where the certificate was checked. ``in_policy`` is None where no
    MTA-STS policy is known.
    """

    host: str
    preference: int
    signed: bool
    addresses: tuple[str, ...] = ()
    address: str = ""
    starttls: Starttls = Starttls.UNKNOWN
    tls_version: str = ""
    cipher: str = ""
    certificate: CertificateSeen | None = None
    dane: DaneSeen = DaneSeen(state=DaneState.UNKNOWN)
    in_policy: bool | None = None
    demanded_by: str = ""
    grade: Grade | None = None
    why: str = ""

    @property
    def reached(self) -> bool:
        """Whether it answered, so that it says something that the host is not better."""
        return bool(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """All hosts, best first. ``trouble`` is a sentence on why there are none, or not all. ``pin`` is its name."""

    domain: str
    at: datetime
    hosts: tuple[HostReport, ...] = ()
    sts: StsSeen = StsSeen(state=StsState.UNKNOWN)
    pin: str = ""
    trouble: str = ""

    @property
    def grade(self) -> Grade | None:
        """What a message gets at the least, at whichever host it is handed over; None if at none."""
        return min((host.grade for host in self.hosts if host.grade is not None), key=rank, default=None)

    @property
    def ends(self) -> datetime | None:
        """When the first of the certificates ends."""
        seen = (host.certificate.not_after for host in self.hosts if host.certificate is not None)
        return min((end for end in seen if end is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A domain that is looked at regularly. A pin's own demand is part of every grade, so it is not repeated here."""

    partner: str
    domain: str
    demanded: Grade = Grade.PLAIN


DEMANDED: Final = {
    Protection.NONE: Grade.PLAIN,
    Protection.ENCRYPTED: Grade.ENCRYPTED,
    Protection.VERIFIED: Grade.VERIFIED,
    Protection.SEALED: Grade.VERIFIED,
}
"""The weakest connection that a partner's demand allows; what is sealed needs none better than verified."""


def surveyed(partners: Directory[Partner], pins: Pins) -> tuple[Surveyed, ...]:
    """Every domain of a partner and of a pin, once, by name; ``*.domain`` names no domain that could be asked."""
    found = {each.domain: each for each in _pinned(pins)}
    for domain, partner in partners.domains.items():
        found[domain] = Surveyed(partner=partner.name, domain=domain, demanded=DEMANDED[partner.tls])
    return tuple(sorted(found.values(), key=lambda each: (each.partner, each.domain)))


def _pinned(pins: Pins) -> Iterator[Surveyed]:
    for pin in pins.all:
        yield from (Surveyed(partner=pin.name, domain=each) for each in pin.domains if not each.startswith("*."))
