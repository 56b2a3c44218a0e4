"""Certificates of every quality by trustme: one authority that is trusted, and hosts that fail in one way each."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

EXPIRED_ON = datetime(2024, 1, 2, tzinfo=UTC)


@cache
def authority() -> trustme.CA:
    """The authority that the tests trust; made once for a test run."""
    return trustme.CA()


def write_authority(folder: Path) -> Path:
    """The trusted authority's certificate as a file, as ``[tls] ca`` names it."""
    path = folder / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


def good(*names: str) -> ssl.SSLContext:
    """A host whose certificate is fine for these names."""
    return _context(authority().issue_cert(*names))


def expired(*names: str) -> ssl.SSLContext:
    """Signed by the trusted authority, expired on `EXPIRED_ON`."""
    return _context(authority().issue_cert(*names, not_after=EXPIRED_ON))


def untrusted(*names: str) -> ssl.SSLContext:
    """Signed by an authority that nobody trusts."""
    return _context(trustme.CA().issue_cert(*names))


def self_signed(name: str) -> ssl.SSLContext:
    """Signed by itself, as servers make it when they are installed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, EXPIRED_ON, datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(private + pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def asks_for_ours(*names: str) -> ssl.SSLContext:
    """A host that wants a client certificate of the trusted authority."""
    context = good(*names)
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def write_client(folder: Path, name: str) -> Path:
    """A client certificate with its key in one file."""
    path = folder / f"{name}.pem"
    issued = authority().issue_cert(name)
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def curve_key() -> ec.EllipticCurvePrivateKey:
    """A new key of the usual kind."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate with its key, made to order: it may sign others, whether it should or not."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def spki(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.certificate.public_key().public_bytes(serialization.Encoding.DER, form)

    def context(self, *others: "Made") -> ssl.SSLContext:
        """A server that shows it, and then the others."""
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        shown = [made.certificate.public_bytes(serialization.Encoding.PEM) for made in (self, *others)]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with NamedTemporaryFile(suffix=".pem") as file:
            file.write(b"".join([private, *shown]))
            file.flush()
            context.load_cert_chain(file.name)
        return context


AUTHORITY: tuple[x509.ExtensionType, ...] = (x509.BasicConstraints(ca=True, path_length=None),)
"""What makes a certificate an authority's."""


def make(
    subject: str,
    by: Made | None = None,
    *,
    extensions: Sequence[x509.ExtensionType] = (),
    names: Sequence[str] = (),
    key: PrivateKey | None = None,
    valid: tuple[datetime, datetime] = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),
    digest: hashes.SHA256 | hashes.SHA384 | None = None,
) -> Made:
    """A certificate signed by another, or by itself; its extensions are critical, as authorities' mostly are."""
    key = key or curve_key()
    signer = by.key if by is not None else key
    builder = x509.CertificateBuilder(
        x509.Name.from_rfc4514_string(f"CN={subject}") if by is None else by.certificate.subject,
        x509.Name.from_rfc4514_string(f"CN={subject}"),
        key.public_key(),
        x509.random_serial_number(),
        *valid,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    return Made(builder.sign(signer, algorithm), key)


def version_1(der: bytes) -> bytes:
    """A certificate that was made without extensions, as version 1 of itself; its signature does not hold any more."""

    def sequence(content: bytes) -> bytes:
        size = len(content).to_bytes(2, "big")
        return b"\x30\x82" + size + content if size[0] else b"\x30\x81" + size[1:] + content

    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    _, version, rest = signed.partition(b"\xa0\x03\x02\x01\x02")
    assert version
    return sequence(sequence(rest) + der.partition(signed)[2])


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
