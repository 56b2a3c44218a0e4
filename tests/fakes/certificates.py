"""Certificates of every quality by trustme: one authority that is trusted, and hosts that fail in one way each."""

import ssl
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
