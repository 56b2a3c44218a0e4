"""DANE for SMTP: TLSA records, and whether a certificate is the one that they mean (RFC 7672, RFC 6698, RFC 7671).

The chain of a trust anchor is followed in `net.anchor`, which has the cryptography; here is what needs none. Left out
on purpose: usages 0 and 1, which RFC 7672 section 3.1.3 makes unusable for SMTP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256, sha512
from typing import Final, TypeAlias

TRUST_ANCHOR: Final = 2
"""Usage DANE-TA: the certificate leads to the one that the record means (RFC 7218 section 2.1)."""

END_ENTITY: Final = 3
"""Usage DANE-EE: the certificate is itself the one that the record means."""

# Matching types and the sizes of their digests (RFC 6698 section 2.1.3); the higher number is the stronger digest.
_FULL, _SHA256, _SHA512 = 0, 1, 2
_SIZES: Final = {_SHA256: 32, _SHA512: 64}


@dataclass(frozen=True, slots=True, order=True)
class Tlsa:
    """One TLSA record (RFC 6698 section 2.1); ``data`` is the certificate association data."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class TlsaFound:
    """Usable records, in order and each once. ``base`` is the TLSA base domain: the SNI, and a name to match."""

    base: str
    records: tuple[Tlsa, ...]


@dataclass(frozen=True, slots=True)
class TlsaUnusable:
    """There are records and none is usable: TLS is mandatory, its authentication is not (RFC 7672 section 2.2)."""

    base: str


@dataclass(frozen=True, slots=True)
class TlsaUnknown:
    """The lookup failed, so this host cannot be used now (RFC 7672 section 2.1.1); ``reason`` is one clause."""

    reason: str


class NoTlsa(Enum):
    """DANE does not apply to the host."""

    ABSENT = "the host's zone is signed and holds no TLSA record"
    INSECURE = "the host's addresses, or its TLSA records, are not signed"
    OFF = "no validating resolver is configured"


TlsaFacts: TypeAlias = TlsaFound | TlsaUnusable | TlsaUnknown | NoTlsa


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """The records to match, in order and each once: of the digests of one kind the strongest (RFC 7671 section 9).

    A record that is unusable does not displace another. Whether the data of a full match can be read shows only when
    it is compared: then it matches nothing.
    """
    sound = sorted({record for record in records if _is_sound(record)})
    # In order, so the last of a kind is the strongest.
    strongest = {(record.usage, record.selector): record.matching for record in sound}
    return tuple(record for record in sound if record.matching in {_FULL, strongest[(record.usage, record.selector)]})


def _is_sound(record: Tlsa) -> bool:
    """RFC 7672 section 3.1: the usages for SMTP; what is unknown or malformed is unusable (RFC 6698 section 4.1)."""
    if record.usage not in {TRUST_ANCHOR, END_ENTITY} or record.selector not in {0, 1}:
        return False
    if record.matching == _FULL:
        return bool(record.data)
    return len(record.data) == _SIZES.get(record.matching)


def matches(record: Tlsa, certificate: bytes, spki: bytes) -> bool:
    """Whether the record means this certificate; both as DER, ``spki`` as it stands in it, empty if unreadable."""
    selected = certificate if record.selector == 0 else spki
    if not selected:
        return False
    match record.matching:
        case 0:
            return record.data == selected
        case 1:
            return record.data == sha256(selected).digest()
        case 2:
            return record.data == sha512(selected).digest()
        case _:
            return False
