"""Certificate chains of every kind that a mail host may show, good ones and such as are wrong in one way (RFC 5280)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256, sha512
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.sandbox.authority import Validity, write_secret

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_NOBODY_KNOWS: Final = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


class Shown(Enum):
    """What a host shows; the value is the last number of its address."""

    GOOD = 1
    BARE = 2
    """Good, without the authority's certificate."""
    EXPIRED = 3
    ELSEWHERE = 4
    """For the next-hop domain only, which is no host."""
    SELF_SIGNED = 5
    NO_TLS = 6
    RSA = 7
    """Signed by itself, with an RSA key."""
    DEEP = 8
    """Below an intermediate authority, which is below one that allows it."""
    TOO_DEEP = 9
    """Below an intermediate authority, which is below one that allows none."""
    NOT_BY_AN_AUTHORITY = 10
    """Signed by another host's certificate."""
    OLD_AUTHORITY = 11
    """Signed by an authority that has expired."""
    FOR_CLIENTS = 12
    """Good for clients only."""
    WILDCARD = 13
    WIDE_WILDCARD = 14
    """For ``*.signed.example``, which covers no name with a label more."""
    STRANGE_AUTHORITY = 15
    """Signed by an authority with a critical extension that nobody knows."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key, and those above it that are shown with it."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """As a server reads it."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.above))

    def selected(self, selector: str) -> bytes:
        """What a TLSA record with that selector is about."""
        if selector == "0":
            return self.certificate.public_bytes(Encoding.DER)
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Certificates:
    """What the hosts show; ``ca`` is the file of the authority that signed most of them."""

    def __init__(self, folder: Path, hosts: Callable[[Shown], Sequence[str]], next_hop: str) -> None:
        self._folder = folder
        now = datetime.now(UTC)
        self._valid = Validity.lasting(now, timedelta(days=30))
        self._past = Validity(start=now - timedelta(days=60), end=now - timedelta(days=30))
        self.authority = self._authority("Authority", length=0)
        self.root = self._authority("Root", length=1)
        self.middle = self._authority("Middle", self.root, length=0)
        self._narrow = self._authority("Narrow middle", self.authority, length=0)
        self._old = self._authority("Old authority", validity=self._past)
        self._strange = self._authority("Strange authority", extensions=[_NOBODY_KNOWS])
        self.other = self._leaf(["other.example"])
        self.leaves = {
            shown: self._shown(shown, hosts(shown), next_hop) for shown in Shown if shown is not Shown.NO_TLS
        }
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.authority.certificate.public_bytes(Encoding.PEM))

    def file(self, shown: Shown) -> Path:
        """Key and chain as a server reads them."""
        return self._write(shown.name.lower(), self.leaves[shown])

    def web(self, name: str, *, trusted: bool = True) -> Path:
        """A certificate for a web server."""
        return self._write(f"web-{trusted}".lower(), self._leaf([name], self.authority if trusted else None))

    def record(self, text: str, shown: Shown) -> str:
        """``3 1 1 <hex>`` of ``3 1 1 leaf``; ``issuer`` is the certificate right above the leaf."""
        usage, selector, matching, whose = text.split()
        data = self._named(whose, shown).selected(selector)
        digests = {"1": lambda: sha256(data).digest(), "2": lambda: sha512(data).digest()}
        return f"{usage} {selector} {matching} {digests.get(matching, lambda: data)().hex()}"

    def _named(self, whose: str, shown: Shown) -> Credential:
        issuers = {
            Shown.DEEP: self.middle,
            Shown.TOO_DEEP: self._narrow,
            Shown.NOT_BY_AN_AUTHORITY: self.leaves[Shown.GOOD],
            Shown.OLD_AUTHORITY: self._old,
            Shown.STRANGE_AUTHORITY: self._strange,
        }
        named = {
            "leaf": self.leaves.get(shown, self.other),
            "issuer": issuers.get(shown, self.authority),
            "authority": self.authority,
            "root": self.root,
            "other": self.other,
        }
        return named[whose]

    def _shown(self, shown: Shown, hosts: Sequence[str], next_hop: str) -> Credential:
        match shown:
            case Shown.BARE:
                made = self._leaf(hosts, self.authority)
                return Credential(made.certificate, made.key)
            case Shown.EXPIRED:
                return self._leaf(hosts, self.authority, self._past)
            case Shown.ELSEWHERE:
                return self._leaf([next_hop], self.authority)
            case Shown.SELF_SIGNED:
                return self._leaf(hosts)
            case Shown.RSA:
                return self._leaf(hosts, key=rsa.generate_private_key(65537, 2048))
            case Shown.DEEP:
                return self._leaf(hosts, self.middle)
            case Shown.TOO_DEEP:
                return self._leaf(hosts, self._narrow)
            case Shown.NOT_BY_AN_AUTHORITY:
                return self._leaf(hosts, self._leaf(hosts, self.authority))
            case Shown.OLD_AUTHORITY:
                return self._leaf(hosts, self._old)
            case Shown.FOR_CLIENTS:
                return self._leaf(hosts, self.authority, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
            case Shown.WILDCARD:
                return self._leaf([f"*.{host.partition('.')[2]}" for host in hosts], self.authority)
            case Shown.WIDE_WILDCARD:
                return self._leaf([f"*.{host.split('.', 2)[2]}" for host in hosts], self.authority)
            case Shown.STRANGE_AUTHORITY:
                return self._leaf(hosts, self._strange)
            case _:
                return self._leaf(hosts, self.authority)

    def _authority(
        self,
        name: str,
        issuer: Credential | None = None,
        validity: Validity | None = None,
        *,
        length: int | None = None,
        extensions: Iterable[x509.ExtensionType] = (),
    ) -> Credential:
        constraints = x509.BasicConstraints(ca=True, path_length=length)
        return _make(name, issuer, validity or self._valid, [constraints, _usage(signs=True), *extensions])

    def _leaf(
        self,
        names: Sequence[str],
        issuer: Credential | None = None,
        validity: Validity | None = None,
        *,
        key: Key | None = None,
        purpose: ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Credential:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        # Some of these names are longer than the 64 characters that a common name may have, and nobody reads it.
        made = [constraints, _usage(signs=False), x509.ExtendedKeyUsage([purpose]), alternative]
        return _make("Host", issuer, validity or self._valid, made, key)

    def _write(self, name: str, credential: Credential) -> Path:
        path = self._folder / f"{name}.pem"
        write_secret(path, credential.pem)
        return path


def _make(
    name: str,
    issuer: Credential | None,
    validity: Validity,
    extensions: Iterable[x509.ExtensionType],
    key: Key | None = None,
) -> Credential:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        validity.start,
        validity.end,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=not isinstance(extension, _NOT_CRITICAL))
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Credential(certificate, key, (issuer.certificate, *issuer.above) if issuer else ())


_NOT_CRITICAL: Final = (x509.SubjectAlternativeName, x509.ExtendedKeyUsage)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
