"""Certificates of people who get S/MIME: whom they are for, and why one cannot be used (RFC 8550, RFC 5280).

Left out on purpose: who vouches for one, which is `trust`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier, PublicKeyAlgorithmOID

from gateway.core.address import BadAddress, parse_address
from gateway.sealed.cms.der import SEQUENCE, element, elements, oid, tagged

UNREADABLE: Final = (
    ValueError,
    IndexError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    # Where warnings are errors: it warns of a certificate that it will not read for ever.
    UserWarning,
)
"""What cryptography raises for a certificate that is broken, or beyond it."""

MAX_SIZE: Final = 64 * 1024
"""Bytes of a certificate that is read; those with photographs in them have less."""

Curve = ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1

_LEAST_RSA: Final = 2048
_UTF8_MAILBOX: Final = ObjectIdentifier("1.3.6.1.5.5.7.8.9")
_CAPABILITIES: Final = ObjectIdentifier("1.2.840.113549.1.9.15")
_AES256_GCM: Final = oid("2.16.840.1.101.3.4.1.46")
_MAIL_USAGES: Final = frozenset({ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Usable:
    """A certificate that a message can be sealed for; ``gcm`` says that its owner's program knows AES-256-GCM."""

    certificate: x509.Certificate
    gcm: bool

    @property
    def digest(self) -> str:
        """The SHA-256 of its DER form in hex."""
        return sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


@dataclass(frozen=True, slots=True)
class Unusable:
    """``reason`` is a clause in which the certificate is "it"."""

    reason: str


def judge(der: bytes, now: datetime) -> Usable | Unusable:
    """Whether a message can be sealed for it, as far as it tells by itself. Never raises."""
    try:
        certificate = parse(der)
        reason = _flaw(certificate, now)
        return Unusable(reason) if reason else Usable(certificate, _knows_gcm(certificate))
    except UNREADABLE:
        return Unusable("it cannot be read")


def parse(der: bytes) -> x509.Certificate:
    """Raises what is in `UNREADABLE`."""
    if len(der) > MAX_SIZE:
        raise ValueError("the certificate is too large")
    return x509.load_der_x509_certificate(der)


def names(certificate: x509.Certificate) -> frozenset[str]:
    """`Address.key` of each mailbox that it is for (RFC 8550 section 3, RFC 9598). Raises what is in `UNREADABLE`.

    An address in the subject counts only where there is none among the alternative names.
    """
    found = list(_alternative_names(certificate)) or [
        str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
    ]
    return frozenset(key for text in found if (key := _key(text)))


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber (RFC 5652 section 10.2.4), byte for byte as in the certificate."""
    version, *fields = elements(elements(certificate.tbs_certificate_bytes)[0].content)
    if version.tag != tagged(0):
        fields = [version, *fields]
    serial, _, issuer = fields[:3]
    return element(SEQUENCE, issuer.raw, serial.raw)


def _alternative_names(certificate: x509.Certificate) -> Iterator[str]:
    alternatives = extension(certificate, x509.SubjectAlternativeName)
    if alternatives is None:
        return
    yield from alternatives.get_values_for_type(x509.RFC822Name)
    for other in alternatives.get_values_for_type(x509.OtherName):
        if other.type_id == _UTF8_MAILBOX:
            yield elements(other.value)[0].content.decode()


def _key(text: str) -> str:
    try:
        return parse_address(text).key
    except BadAddress:
        return ""


def _flaw(certificate: x509.Certificate, now: datetime) -> str:
    """Why it cannot be used; empty if it can."""
    if now > certificate.not_valid_after_utc:
        return f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    if isinstance(certificate.signature_hash_algorithm, MD5 | SHA1):
        return f"it is signed with {certificate.signature_hash_algorithm.name.upper()}, which can be forged"
    return _key_flaw(certificate) or _usage_flaw(certificate)


def _key_flaw(certificate: x509.Certificate) -> str:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            # A key that is for RSA-PSS alone signs only (RFC 4055 section 1.2).
            if certificate.public_key_algorithm_oid != PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
                return "its key only signs"
            return "" if key.key_size >= _LEAST_RSA else f"its RSA key has {key.key_size} bits, fewer than {_LEAST_RSA}"
        case ec.EllipticCurvePublicKey() as key:
            return "" if isinstance(key.curve, Curve) else f"its curve {key.curve.name} is not used"
        case _:
            return "its kind of key is not used"


def _usage_flaw(certificate: x509.Certificate) -> str:
    usage = extension(certificate, x509.KeyUsage)
    is_rsa = isinstance(certificate.public_key(), rsa.RSAPublicKey)
    if usage is not None and not (usage.key_encipherment if is_rsa else usage.key_agreement):
        return "its key is not for encryption"
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and _MAIL_USAGES.isdisjoint(purposes):
        return "it is not for mail"
    return ""


def _knows_gcm(certificate: x509.Certificate) -> bool:
    """SMIMECapabilities in a certificate (RFC 4262 section 2, RFC 8551 section 2.5.2)."""
    for each in certificate.extensions:
        if each.oid == _CAPABILITIES and isinstance(each.value, x509.UnrecognizedExtension):
            return _AES256_GCM in _first_of_each(elements(each.value.value)[0].content)
    return False


def _first_of_each(sequences: bytes) -> Sequence[bytes]:
    return [each.content[: len(_AES256_GCM)] for each in elements(sequences)]


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """That extension, if it has it. Raises what is in `UNREADABLE`."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
