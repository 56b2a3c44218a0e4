"""DANE for SMTP: TLSA records, and whether a certificate is the one that they mean (RFC 7672, RFC 6698, RFC 7671).

The chain of a trust anchor is followed in `net.chain`, which has the cryptography; here is what needs none. Left out on
purpose: usages 0 and 1, which RFC 7672 section 3.1.3 makes unusable for SMTP.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


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
    INSECURE = "the host's addresses are not signed"
    OFF = "no validating resolver is configured"


TlsaFacts: TypeAlias = TlsaFound | TlsaUnusable | TlsaUnknown | NoTlsa
