"""Makes certificates: a small authority and what it signs (RFC 5280), for the sandbox and for `sealpost certs init`.

Left out on purpose: revocation, intermediates and renewal. This is for development and trial; a real gateway takes its
certificate from the organisation's own authority.
"""

import ipaddress
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOP_KEY_BYTES: Final = 32
"""As long as the SHA-256 it keys (RFC 2104 section 3)."""

CLOCK_SKEW: Final = timedelta(hours=1)
"""Certificates begin this long before they are made, for peers whose clock is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From when until when a certificate holds; aware UTC."""

    start: datetime
    end: datetime

    @classmethod
    def lasting(cls, now: datetime, span: timedelta) -> Self:
        """Valid from now (less the skew of clocks) for ``span``."""
        return cls(start=now - CLOCK_SKEW, end=now + span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key alone, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def pem(self) -> bytes:
        """Key and certificate in one file, as `ssl.SSLContext.load_cert_chain` reads it."""
        return self.key_pem + self.certificate_pem


def make_authority(common_name: str, validity: Validity) -> Credential:
    """A self-signed certificate that may sign others, one level deep."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    usage = _usage(signs_certificates=True)
    builder = (
        _builder(name, name, key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Credential(certificate=builder.sign(key, hashes.SHA256()), key=key)


def issue(authority: Credential, names: tuple[str, ...], validity: Validity) -> Credential:
    """A certificate for host names or addresses, signed by ``authority``, good for servers and clients alike."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(authority.certificate.subject, names, key, validity).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )
    return Credential(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def self_signed(names: tuple[str, ...], validity: Validity) -> Credential:
    """A certificate for host names that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(_name(names[0]), names, key, validity)
    return Credential(certificate=builder.sign(key, hashes.SHA256()), key=key)


def _leaf(
    issuer: x509.Name, names: tuple[str, ...], key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        _builder(_name(names[0]), issuer, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    # RFC 5280 appendix A limits a common name to 64 characters; the host's name is in the alternative names anyway.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def new_hop_key() -> bytes:
    """A fresh key for the hop header."""
    return secrets.token_bytes(HOP_KEY_BYTES)


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read, from its first byte on. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
