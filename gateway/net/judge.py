"""Judges a certificate after the handshake: pinned keys, TLSA records and names (RFC 7672 section 3, RFC 6125).

The chain of a check with names only was verified in the handshake by OpenSSL. Names are those of subjectAltName alone:
the common name, which RFC 7672 section 3.2.3 would let stand in for them, is not read.
"""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, cast

from cryptography import x509

from gateway.core.check import Check
from gateway.core.dane import END_ENTITY, TRUST_ANCHOR, Tlsa, matches
from gateway.core.tlsrpt import Result
from gateway.net.anchor import Anchors
from gateway.net.certificate import UNREADABLE, Fault, parse_certificate, spki_digest
from gateway.net.flaw import extension
from gateway.net.spki import public_key_info

MAX_CHAIN: Final = 16
"""Certificates of a peer that are taken over; OpenSSL limits their size."""

_DER: Final = 2  # ENCODING_DER of the module _ssl


@dataclass(frozen=True, slots=True)
class Passed:
    """The certificate is what the check wants; ``record`` is the TLSA record that means it, if there has to be one."""

    record: Tlsa | None = None


def judge(chain: Sequence[bytes], check: Check, now: datetime) -> Passed | Fault:
    """Whether the certificate that a chain begins with passes the check, or why it does not. Never raises.

    ``chain`` is in DER, as the peer sent it.
    """
    if not chain:
        return Fault(Result.VALIDATION, "it was not shown")
    fault = _judge_key(chain[0], check)
    if fault is not None:
        return fault
    found = _judge_records(chain, check, now)
    return found if isinstance(found, Fault) else _judge_names(chain[0], check) or found


def _judge_key(leaf: bytes, check: Check) -> Fault | None:
    if not check.pins or spki_digest(leaf) in check.pins:
        return None
    return Fault(Result.NOT_TRUSTED, "its public key is not a pinned one")


def _judge_records(chain: Sequence[bytes], check: Check, now: datetime) -> Passed | Fault:
    """One record that matches is enough; for DANE-EE nothing else about it counts (RFC 7672 section 3.1.1)."""
    if not check.tlsa:
        return Passed()
    leaf, key = chain[0], public_key_info(chain[0])
    for record in check.tlsa:
        if record.usage == END_ENTITY and matches(record, leaf, key):
            return Passed(record)
    anchors = [record for record in check.tlsa if record.usage == TRUST_ANCHOR]
    if not anchors:
        return Fault(Result.TLSA_INVALID, "no TLSA record matches it")
    certificate = _parsed(leaf)
    if isinstance(certificate, Fault):
        return certificate
    found = Anchors(anchors).find(certificate, chain[1:], now)
    return found if isinstance(found, Fault) else _judge_for(certificate, check.tlsa_names) or Passed(found)


def _judge_names(leaf: bytes, check: Check) -> Fault | None:
    if not check.names or check.names == (check.sni,):
        return None
    certificate = _parsed(leaf)
    return certificate if isinstance(certificate, Fault) else _judge_for(certificate, check.names)


def _parsed(leaf: bytes) -> x509.Certificate | Fault:
    try:
        return parse_certificate(leaf)
    except UNREADABLE:
        return Fault(Result.VALIDATION, "it cannot be read")


def _judge_for(certificate: x509.Certificate, names: Iterable[str]) -> Fault | None:
    try:
        found = extension(certificate.extensions, x509.SubjectAlternativeName)
        shown = found.get_values_for_type(x509.DNSName) if found is not None else []
    except UNREADABLE:
        return Fault(Result.VALIDATION, "its names cannot be read")
    if any(covers(pattern, name) for pattern in shown for name in names):
        return None
    return Fault(Result.HOST_MISMATCH, f"it is not for {' or '.join(names)}")


def covers(pattern: str, name: str) -> bool:
    """Whether a name in a certificate stands for a host's; ``*`` is one whole label, the first of three or more."""
    pattern, name = pattern.lower(), name.lower()
    if not pattern.startswith("*."):
        return pattern == name
    _, dot, parent = name.partition(".")
    return bool(dot) and "." in parent and parent == pattern.removeprefix("*.")


class _Shown(Protocol):
    def public_bytes(self, encoding: int, /) -> bytes: ...


class _Inner(Protocol):
    def get_unverified_chain(self) -> Sequence[_Shown] | None: ...


class _Outer(Protocol):
    def get_unverified_chain(self) -> Sequence[bytes]: ...


def peer_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates in DER as the peer sent them, its own first; that alone where Python tells of no others."""
    leaf = tls.getpeercert(binary_form=True)
    if leaf is None:
        return ()
    inner = getattr(tls, "_sslobj", None)
    chain: tuple[bytes, ...] = ()
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13 and later
        chain = tuple(cast(_Outer, tls).get_unverified_chain())
    elif hasattr(inner, "get_unverified_chain"):
        chain = tuple(shown.public_bytes(_DER) for shown in cast(_Inner, inner).get_unverified_chain() or ())
    return chain[:MAX_CHAIN] if chain[:1] == (leaf,) else (leaf,)
