"""What a peer's certificate says, for the evidence, and a plain sentence for one that does not verify (RFC 5280).

The leaf is read whether or not it was checked: `Evidence.verified` alone says which. Left out on purpose: the rest of
the chain, and what is demanded of it, see `net.judge`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from gateway.core.tlsrpt import Result
from gateway.net.spki import public_key_info

MAX_NAMES: Final = 20
"""Names that are kept; certificates of large providers have hundreds."""

MAX_SIZE: Final = 48 * 1024
"""Bytes of a certificate that is read; those with a thousand names have less."""

MAX_TEXT: Final = 256
"""Characters of a subject, an issuer or a name that are kept."""

UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    # Where warnings are errors: it warns of a certificate that it will not read for ever.
    UserWarning,
)
"""What cryptography raises for a certificate that is broken, or beyond it."""

_UNWANTED = re.compile("[^\x20-\x7e\u00a1-\u2027\u2030-\u2065\u2070-\ud7ff\ue000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a certificate is refused, as TLSRPT counts it, and a clause for "…: {detail}." in which it is "it"."""

    result: Result
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """The leaf. ``digest`` is the SHA-256 of its DER form in hex; texts are cleaned and cut.

    ``spki`` is the SHA-256 of its public key (SubjectPublicKeyInfo) in hex, empty if that cannot be found.
    """

    digest: str
    spki: str = ""
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None


def read_certificate(der: bytes) -> PeerCertificate:
    """Reads a leaf; one that cannot be parsed has its digests only. Never raises."""
    digest, spki = sha256(der).hexdigest(), spki_digest(der)
    try:
        leaf = parse_certificate(der)
        return PeerCertificate(
            digest=digest,
            spki=spki,
            subject=_cleaned(leaf.subject.rfc4514_string()),
            issuer=_cleaned(leaf.issuer.rfc4514_string()),
            names=_names(leaf),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
        )
    except UNREADABLE:
        # cryptography is stricter than OpenSSL, which has accepted this one.
        return PeerCertificate(digest=digest, spki=spki)


def parse_certificate(der: bytes) -> x509.Certificate:
    """Raises what is in `UNREADABLE`, also where it would take long: a peer may show what it likes."""
    if len(der) > MAX_SIZE:
        raise ValueError("the certificate is too large")
    return x509.load_der_x509_certificate(der)


def spki_digest(der: bytes) -> str:
    """The SHA-256 of a certificate's SubjectPublicKeyInfo in hex, as pins are written; empty if it cannot be found."""
    info = public_key_info(der)
    return sha256(info).hexdigest() if info else ""


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The alternative names; none where they cannot be read, so that the rest of the evidence survives."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
        addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    except (*UNREADABLE, x509.ExtensionNotFound):
        return ()
    return tuple(_cleaned(name) for name in [*dns, *addresses][:MAX_NAMES])


def _cleaned(text: str) -> str:
    return _UNWANTED.sub("?", text)[:MAX_TEXT]


def complaint(host: str, code: int | None, certificate: PeerCertificate | None) -> str:
    """One sentence on why the certificate of ``host`` was refused; ``certificate`` is what it showed, where known."""
    return f"The certificate of {host} {_fault(code, certificate or PeerCertificate(digest=''))}."


def _fault(code: int | None, seen: PeerCertificate) -> str:
    match code:  # X509_V_ERR_… of OpenSSL (x509_vfy.h)
        case 9:
            return f"is not valid before {seen.not_before:%Y-%m-%d}" if seen.not_before else "is not valid yet"
        case 10:
            return f"expired on {seen.not_after:%Y-%m-%d}" if seen.not_after else "expired"
        case 18:
            return "is signed by itself only"
        case 2 | 19 | 20 | 21 | 27:
            return "is signed by an authority that is not trusted"
        case 23:
            return "was revoked"
        case 62 | 64:
            return f"is for other names: {', '.join(seen.names[:3])}" if seen.names else "is for other names"
        case _:
            return "could not be verified"
