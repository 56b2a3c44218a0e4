"""TLSRPT: what is counted of TLS sessions, and where a domain wants to hear of it (RFC 8460 sections 3 and 4).

Left out on purpose: everything about messages and people; a session has none. So are reports to mailboxes that are not
ASCII, and to servers without a name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from gateway.core.address import Address, BadAddress, parse_address, parse_domain

MAX_DESTINATIONS: Final = 10
"""Places that one domain is reported to; more than anybody needs."""

_VERSION = re.compile(r"v=TLSRPTv1[ \t]*;")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=(.*)")
# RFC 3986: what a URI may hold, with whole escapes only; "!", "," and ";" stand escaped in a record (section 3).
_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9A-Fa-f]{2}){1,1024}")


class PolicyType(StrEnum):
    """Under which policy a session was counted (section 4.4)."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


class Result(StrEnum):
    """Why a session failed (section 4.3)."""

    NO_STARTTLS = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_FETCH = "sts-policy-fetch-error"
    STS_INVALID = "sts-policy-invalid"
    STS_WEBPKI = "sts-webpki-invalid"


@dataclass(frozen=True, slots=True)
class Applied:
    """A policy as a report shows it. ``domain`` is the recipient domain of an MTA-STS policy, a host for TLSA."""

    type: PolicyType
    domain: str
    strings: tuple[str, ...] = ()
    mx_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """One attempt at a TLS session for mail to ``domain``; ``failure`` is None for one that was good.

    ``detail`` is our sentence on the failure; ``ours`` and ``address`` are the two ends' addresses, empty if unknown.
    """

    domain: str
    applied: Applied
    host: str
    address: str = ""
    ours: str = ""
    failure: Result | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MailTo:
    """A mailbox that takes reports."""

    address: Address

    def __str__(self) -> str:
        return f"mailto:{self.address}"


@dataclass(frozen=True, slots=True)
class PostTo:
    """An ``https`` address that takes reports; its host is a name."""

    url: str

    def __str__(self) -> str:
        return self.url


Destination: TypeAlias = MailTo | PostTo


def read_rua(texts: Sequence[bytes]) -> tuple[Destination, ...] | None:
    """Where reports go by the TXT records of ``_smtp._tls.<domain>``; what is no such place is passed over.

    None: the domain wants none, because it has not exactly one record of the version.
    """
    records = [text for text in (each.decode("ascii", "replace") for each in texts) if _VERSION.match(text)]
    if len(records) != 1:
        return None
    fields = [_FIELD.fullmatch(field.strip(" \t")) for field in records[0].split(";")]
    named = [uri for field in fields if field and field[1] == "rua" for uri in field[2].split(",")]
    found = [_destination(uri.strip(" \t")) for uri in named]
    return tuple(dict.fromkeys(one for one in found if one is not None))[:MAX_DESTINATIONS]


def _destination(text: str) -> Destination | None:
    # Some publish the size suffix of DMARC's reports, which is none of this record's.
    uri = text.partition("!")[0]
    scheme, _, rest = uri.partition(":")
    if not _URI.fullmatch(uri):
        return None
    match scheme.lower():
        case "mailto":
            return _mailbox(rest.partition("?")[0])
        case "https":
            return PostTo(uri.partition("#")[0]) if _names_a_host(uri) else None
        case _:
            return None


def _mailbox(text: str) -> MailTo | None:
    try:
        address = parse_address(unquote(text, errors="strict"))
    except (BadAddress, UnicodeError):
        return None
    return MailTo(address) if address.is_ascii and not address.domain.startswith("[") else None


def _names_a_host(url: str) -> bool:
    """Whether its host is looked up in DNS, where our own resolver sees to it that it is nobody inside."""
    try:
        parts = urlsplit(url)
        labels = parse_domain(parts.hostname or "").split(".")
        port = parts.port
    except ValueError:
        return False
    return "@" not in parts.netloc and port != 0 and len(labels) > 1 and not labels[-1].isdecimal()
