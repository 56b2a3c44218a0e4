"""Who vouches for a certificate: the authorities that the organisation believes, and their lists of revoked ones.

An authority vouches for what it signed itself, so the file names intermediate ones too. A list that is too old, or that
its authority did not sign, tells nothing (RFC 5280 section 6.3). Everything blocks. Left out on purpose: partial and
indirect lists, OCSP, and fetching lists, which is a timer's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from gateway.sealed.cms.certificates import UNREADABLE, extension
from gateway.sealed.recipients.found import LookupFailed
from gateway.sealed.recipients.watched import Watched, read_limited

_ENDINGS: Final = (".crl", ".pem", ".der")
_MOST_LISTS: Final = 200
_MOST_BYTES: Final = 32 * 1024 * 1024
_PEM: Final = b"-----BEGIN X509 CRL-----"


@dataclass(frozen=True, slots=True)
class Vouched:
    """An authority signed it, and its list, if there is one, does not name it."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """No authority that we believe signed it."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Its authority took it back."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Untold:
    """Whether it was revoked cannot be told now; ``reason`` is a sentence."""

    reason: str


Word: TypeAlias = Vouched | Stranger | Revoked | Untold
_Lists: TypeAlias = Mapping[bytes, tuple[x509.CertificateRevocationList, ...]]


class Trust:
    """``ca`` is a file of authorities in PEM form, ``crl`` a folder of lists."""

    def __init__(self, ca: Path | None, crl: Path | None) -> None:
        """Reads the authorities. Raises ValueError if that cannot be done."""
        self._authorities = _read_authorities(ca) if ca is not None else ()
        self._lists = Watched(crl, _ENDINGS, _MOST_LISTS, _index) if crl is not None else None

    def word(self, certificate: x509.Certificate, now: datetime) -> Word:
        """What is known of it. Raises LookupFailed if the lists cannot be read."""
        issuer = next((each for each in self._authorities if _signed(each, certificate, now)), None)
        if issuer is None:
            return Stranger()
        if self._lists is None:
            return Vouched()
        of_issuer = self._lists.get().get(issuer.subject.public_bytes(), ())
        return _listed(certificate, issuer, of_issuer, now) if of_issuer else Vouched()


def _read_authorities(ca: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(ca.read_bytes()))
    except (OSError, *UNREADABLE) as error:
        raise ValueError(f"there are no authorities in PEM form in {ca}") from error


def _signed(authority: x509.Certificate, certificate: x509.Certificate, now: datetime) -> bool:
    if certificate.issuer != authority.subject or not _may_sign(authority, now):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _may_sign(authority: x509.Certificate, now: datetime) -> bool:
    """RFC 5280 section 6.1.4 (k) and (n)."""
    constraints, usage = extension(authority, x509.BasicConstraints), extension(authority, x509.KeyUsage)
    return (
        authority.not_valid_before_utc <= now <= authority.not_valid_after_utc
        and constraints is not None
        and constraints.ca
        and (usage is None or usage.key_cert_sign)
    )


def _index(paths: Iterable[Path]) -> _Lists:
    """By issuer. One that cannot be read might be anybody's, so that nothing can be told."""
    found = dict[bytes, tuple[x509.CertificateRevocationList, ...]]()
    for path in paths:
        data = read_limited(path, _MOST_BYTES)
        try:
            one = x509.load_pem_x509_crl(data) if _PEM in data else x509.load_der_x509_crl(data)
            name = one.issuer.public_bytes()
        except UNREADABLE as error:
            raise LookupFailed(f"The list of revoked certificates {path.name} cannot be read.") from error
        found[name] = (*found.get(name, ()), one)
    return found


def _listed(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    now: datetime,
) -> Word:
    # It has signed a certificate already.
    key = cast("CertificateIssuerPublicKeyTypes", issuer.public_key())
    name = issuer.subject.rfc4514_string()
    newest = max((each for each in lists if _is_whole(each, key)), key=lambda each: each.last_update_utc, default=None)
    if newest is None:
        return Untold(f"No list of revoked certificates of {name} can be used.")
    if newest.next_update_utc is None or newest.next_update_utc < now:
        return Untold(f"The list of revoked certificates of {name} is too old.")
    entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return Vouched() if entry is None else Revoked(entry.revocation_date_utc)


def _is_whole(each: x509.CertificateRevocationList, key: CertificateIssuerPublicKeyTypes) -> bool:
    """Signed by that key, and for all certificates: what is partial says so in a critical extension."""
    try:
        return each.is_signature_valid(key) and not any(one.critical for one in each.extensions)
    except UNREADABLE:
        return False
