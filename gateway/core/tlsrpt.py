"""TLSRPT: what is counted of TLS sessions for the domains that ask to hear of it (RFC 8460 section 4).

Left out on purpose: everything about messages and people; a session has none.
"""

from dataclasses import dataclass
from enum import StrEnum


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
