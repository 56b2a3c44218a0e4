"""People with certificates of every quality, the authority that signs them, and `openssl` as their mail program."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.sealed.cms.der import SEQUENCE, element, oid

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
YEAR = timedelta(days=365)
UTF8_MAILBOX = ObjectIdentifier("1.3.6.1.5.5.7.8.9")
CAPABILITIES = ObjectIdentifier("1.2.840.113549.1.9.15")


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same at each call."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def curve_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A new one, on P-256 if nothing else is said."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def usage(*names: str) -> x509.KeyUsage:
    """A key usage with these bits."""
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in names for name in every})


def knows(*algorithms: str) -> x509.UnrecognizedExtension:
    """SMIMECapabilities with these object identifiers."""
    listed = element(SEQUENCE, *(element(SEQUENCE, oid(each)) for each in algorithms))
    return x509.UnrecognizedExtension(CAPABILITIES, listed)


GCM = knows("2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.46")
MAIL = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
ANYTHING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@dataclass(frozen=True, slots=True)
class Person:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def person(
    *addresses: str,
    key: Key | None = None,
    by: Person | None = None,
    common_name: str = "Somebody",
    subject_address: str = "",
    utf8: Sequence[str] = (),
    extensions: Sequence[x509.ExtensionType] = (),
    valid: tuple[datetime, datetime] = (NOW - YEAR, NOW + YEAR),
    digest: hashes.HashAlgorithm | None = None,
) -> Person:
    """Made to order; signed by an authority, or by itself. ``utf8`` are addresses beyond ASCII (RFC 9598)."""
    key = key or curve_key()
    name = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    name += [x509.NameAttribute(NameOID.EMAIL_ADDRESS, subject_address)] if subject_address else []
    signer = by.key if by is not None else key
    builder = x509.CertificateBuilder(
        by.certificate.subject if by is not None else x509.Name(name),
        x509.Name(name),
        key.public_key(),
        x509.random_serial_number(),
        *valid,
    )
    alternatives: list[x509.GeneralName] = [x509.RFC822Name(each) for each in addresses]
    alternatives += [x509.OtherName(UTF8_MAILBOX, element(0x0C, each.encode())) for each in utf8]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    return Person(builder.sign(signer, algorithm), key)  # pyright: ignore[reportArgumentType]


def authority(
    name: str = "Test Authority", *, ca: bool = True, valid: tuple[datetime, datetime] = (NOW - YEAR, NOW + YEAR)
) -> Person:
    """One that signs certificates."""
    limits = x509.BasicConstraints(ca=ca, path_length=None)
    return person(common_name=name, extensions=[limits, usage("key_cert_sign", "crl_sign")], valid=valid)


def revocations(
    by: Person,
    *revoked: Person,
    until: datetime = NOW + timedelta(days=7),
    at: datetime = NOW - timedelta(days=1),
    signed_by: Person | None = None,
    partial: bool = False,
) -> x509.CertificateRevocationList:
    """The authority's list; ``signed_by`` forges it."""
    builder = x509.CertificateRevocationListBuilder(by.certificate.subject, at, until)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, NOW - timedelta(days=2)).build()
        builder = builder.add_revoked_certificate(entry)
    if partial:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    signer = (signed_by or by).key
    return builder.sign(signer, hashes.SHA256())


def openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    """What it says. Fails if it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def opened(folder: Path, who: Person, message: bytes, form: str = "SMIME") -> bytes:
    """What ``openssl cms -decrypt`` finds in the message."""
    key, certificate = folder / "own.key", folder / "own.pem"
    key.write_bytes(who.key_pem)
    certificate.write_bytes(who.pem)
    return openssl("cms", "-decrypt", "-binary", "-inform", form, "-recip", certificate, "-inkey", key, data=message)


def verified(folder: Path, by: Person, message: bytes) -> bytes:
    """The entity that ``openssl cms -verify`` finds signed."""
    ca = folder / "ca.pem"
    ca.write_bytes(by.pem)
    at = str(int(NOW.timestamp()))
    return openssl(
        "cms", "-verify", "-binary", "-crlfeol", "-CAfile", ca, "-attime", at, "-purpose", "any", data=message
    )


def described(der: bytes) -> str:
    """The structure as ``openssl cms -cmsout -print`` tells it."""
    return openssl("cms", "-cmsout", "-print", "-inform", "DER", data=der).decode()
