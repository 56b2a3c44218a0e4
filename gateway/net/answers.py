"""What DNS can answer about a mail domain, as values (RFC 5321 section 5.1, RFC 7505): a failure is never a "no".

Left out on purpose: what the answers mean for TLS, which `net.dane`, `net.mta_sts` and `core` know.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from itertools import chain, zip_longest
from random import shuffle
from typing import Final, TypeAlias

from gateway.core.dane import Tlsa
from gateway.core.tls import MxAuth

IpAddress: TypeAlias = IPv4Address | IPv6Address


MAX_HOSTS: Final = 8
"""MX hosts that one attempt asks; more than large providers list. The rest count as unknown, so nothing is proven."""

MAX_ADDRESSES: Final = 16
"""Addresses of one host and family that are known; a host needs a few."""

MAX_TLSA: Final = 32
"""TLSA records of one name that are looked at; a host has a few, twice as many while it changes its key."""

MAX_TLSA_SIZE: Final = 8192
"""Bytes of them together; room for four whole certificates."""

MAX_TEXTS: Final = 32
"""TXT records of one name that are looked at. Of a name that has more, nothing is known."""

MAX_TEXT_SIZE: Final = 4096
"""Bytes of them together; the policies that we look for have a few dozen."""


@dataclass(frozen=True, slots=True)
class MxRecord:
    """One MX record; ``host`` is a lower-case name without its last dot."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class MxRecords:
    """The MX records of a domain. ``mx`` says whether they are known to be authentic."""

    records: tuple[MxRecord, ...]
    mx: MxAuth

    def in_order(self) -> list[MxRecord]:
        """Best preference first, equal ones in random order, anew for each delivery (RFC 5321 section 5.1)."""
        records = list(self.records)
        if len(records) > 1:
            shuffle(records)
            records.sort(key=lambda record: record.preference)
        return records


class NoMx(Enum):
    """A certain answer that names no host."""

    IMPLICIT = "the domain has no MX record, so it is its own mail host"
    IMPLICIT_SIGNED = "the domain has no MX record, as DNSSEC proves, so it is its own mail host"
    NULL = "the domain declares that it takes no mail"
    NXDOMAIN = "the domain does not exist"


@dataclass(frozen=True, slots=True)
class Unresolvable:
    """Nothing is known; ``reason`` is one sentence."""

    reason: str


MxAnswer: TypeAlias = MxRecords | NoMx | Unresolvable


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a host; none for a name that has none or does not exist.

    ``secure``: DNSSEC proves them, with every alias on the way. ``canonical`` is the lower-case name that the aliases
    lead to, empty for a name that is none.
    """

    v6: tuple[IPv6Address, ...]
    v4: tuple[IPv4Address, ...]
    secure: bool = False
    canonical: str = ""

    def in_order(self) -> list[IpAddress]:
        """The families in turn, IPv6 first, each in random order, anew for each delivery."""
        v6, v4 = list(self.v6), list(self.v4)
        shuffle(v6)
        shuffle(v4)
        return [address for address in chain(*zip_longest(v6, v4)) if address is not None]


AddressAnswer: TypeAlias = Addresses | Unresolvable


@dataclass(frozen=True, slots=True)
class TlsaRecords:
    """The TLSA records of a name as they were published; none is an answer too. ``secure``: DNSSEC proves it."""

    records: tuple[Tlsa, ...]
    secure: bool


TlsaAnswer: TypeAlias = TlsaRecords | Unresolvable

Texts: TypeAlias = tuple[bytes, ...]
"""Each TXT record with its strings joined; empty if there is none."""

TextAnswer: TypeAlias = Texts | Unresolvable
