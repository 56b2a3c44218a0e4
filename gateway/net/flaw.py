"""What is wrong with one certificate of a chain, apart from who signed it (RFC 5280 sections 4.2 and 6.1).

What RFC 5280 lets an authority say and is not understood here is a flaw: name constraints, policy constraints, critical
extensions that are unknown. Left out on purpose: revocation.
"""

from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from gateway.core.tlsrpt import Result
from gateway.net.certificate import UNREADABLE, Fault

MIN_RSA: Final = 2048
"""Bits; the least that OpenSSL takes at the security level of current systems (112 bits), as the others here."""

MIN_CURVE: Final = 224
"""Bits of an elliptic curve."""

MAX_RSA: Final = 8192
"""Bits of a key whose signatures are verified; twice the most that public authorities have."""

MAX_EXPONENT: Final = 1 << 32
"""Of such a key; nearly all have 65537, and each bit more is work for who verifies."""

CURVES: Final = frozenset(
    {
        "secp224r1",
        "secp256r1",
        "secp384r1",
        "secp521r1",
        "brainpoolP256r1",
        "brainpoolP384r1",
        "brainpoolP512r1",
    }
)
"""The curves on which signatures are verified: those of RFC 5480 that are not too weak, and of RFC 5639."""

MIN_DIGEST: Final = 28
"""Bytes of the digest that was signed: SHA-1 and MD5 are refused."""

_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        # With no policy demanded, any will do (RFC 5280 section 6.1.1).
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
_PURPOSES: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

E = TypeVar("E", bound=x509.ExtensionType)


def flaw(certificate: x509.Certificate, now: datetime, who: str = "it") -> Fault | None:
    """What makes the certificate unfit for a server; ``who`` is it in the sentence. Never raises."""
    try:
        return (
            _out_of_date(certificate, now, who)
            or _unfit(certificate.extensions, who)
            or (weak_key(certificate.public_key(), who))
        )
    except UNREADABLE:
        return Fault(Result.VALIDATION, f"{who} cannot be read")


def authority_flaw(certificate: x509.Certificate, now: datetime, *, below: int, anchor: bool) -> Fault | None:
    """The same for one that signed another, with ``below`` authorities between it and the leaf. Never raises."""
    who = "an authority above it"
    found = flaw(certificate, now, who)
    if found is not None or (anchor and certificate.version is x509.Version.v1):
        # Version 1 has no extensions to say that it is an authority; that the record means it says so.
        return found
    basic = extension(certificate.extensions, x509.BasicConstraints)
    usage = extension(certificate.extensions, x509.KeyUsage)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        return Fault(Result.NOT_TRUSTED, "it is signed by a certificate that is no authority's")
    if basic.path_length is not None and basic.path_length < below:
        return Fault(Result.NOT_TRUSTED, f"{who} may not have so many others below it")
    return None


def weak_signature(certificate: x509.Certificate) -> bool:
    """Whether what was signed is a digest that can be forged. Raises what is in `UNREADABLE`."""
    digest = certificate.signature_hash_algorithm
    # Ed25519 and Ed448 have none of their own choice.
    return digest is not None and digest.digest_size < MIN_DIGEST


def weak_key(key: PublicKeyTypes, who: str) -> Fault | None:
    """What is wrong with a key that signs certificates or handshakes."""
    match key:
        case rsa.RSAPublicKey():
            weak = key.key_size < MIN_RSA
        case ec.EllipticCurvePublicKey():
            weak = key.curve.key_size < MIN_CURVE
        case _:
            weak = isinstance(key, dsa.DSAPublicKey)
    return Fault(Result.VALIDATION, f"{who} has a weak key") if weak else None


def takes_long(key: PublicKeyTypes) -> bool:
    """Whether to verify its signatures may take long, or is not known to be quick: the peer chose the key."""
    match key:
        case rsa.RSAPublicKey():
            return key.key_size > MAX_RSA or key.public_numbers().e > MAX_EXPONENT
        case ec.EllipticCurvePublicKey():
            return key.curve.name not in CURVES
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return False
        case _:
            return True


def extension(extensions: x509.Extensions, kind: type[E]) -> E | None:
    """The extension of a kind, if there is one."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _out_of_date(certificate: x509.Certificate, now: datetime, who: str) -> Fault | None:
    if now < certificate.not_valid_before_utc:
        return Fault(Result.VALIDATION, f"{who} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}")
    if now > certificate.not_valid_after_utc:
        return Fault(Result.EXPIRED, f"{who} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return None


def _unfit(extensions: x509.Extensions, who: str) -> Fault | None:
    if extension(extensions, x509.NameConstraints) is not None:
        return Fault(Result.VALIDATION, f"{who} has name constraints, which are not understood here")
    if any(found.critical and found.oid not in _UNDERSTOOD for found in extensions):
        return Fault(Result.VALIDATION, f"{who} has a critical extension that is not understood here")
    purposes = extension(extensions, x509.ExtendedKeyUsage)
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        return Fault(Result.VALIDATION, f"{who} is not meant for servers")
    return None
