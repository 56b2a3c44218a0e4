"""The keys of anchors: Ed25519 (RFC 8032), the private one in PKCS #8 and the public one in PEM.

A key's *mark*, the beginning of its SHA-256, names it in anchors. Left out on purpose: when a key ends, who holds it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gateway.core.audit_chain import Flaw


class BadAuditKey(ValueError):
    """The bytes are no key of this kind; the text is one clause and never repeats them."""


def new_key() -> bytes:
    """A private key, PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Signer:
    """Signs with a private key in PEM. Raises BadAuditKey for anything else."""

    def __init__(self, pem: bytes) -> None:
        try:
            key = load_pem_private_key(pem, password=None)
        except TypeError:
            raise BadAuditKey("the key has a passphrase, which nobody could type in") from None
        except (ValueError, UnsupportedAlgorithm):
            raise BadAuditKey("this is not a private key in PEM form") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadAuditKey("anchors are signed with Ed25519, and this key is another")
        self._key = key
        self.public = _raw(key.public_key())
        self.mark = mark_of(self.public)

    def sign(self, text: bytes) -> bytes:
        """The signature."""
        return self._key.sign(text)

    @property
    def public_pem(self) -> bytes:
        """For those who verify and may not sign."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Trusted:
    """The public keys whose anchors count, as 32 bytes each; it is called as `gateway.core.audit_chain.Trust`."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, pems: Iterable[bytes]) -> Self:
        """From public keys in PEM. Raises BadAuditKey."""
        return cls(tuple(_public(pem) for pem in pems))

    def __call__(self, mark: str, text: bytes, signature: bytes) -> Flaw | None:
        key = next((key for key in self.keys if mark_of(key) == mark), None)
        if key is None:
            return Flaw.KEY
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
        except InvalidSignature:
            return Flaw.SIGNATURE
        return None


def mark_of(public: bytes) -> str:
    """What names it."""
    return sha256(public).hexdigest()[:16]


def _public(pem: bytes) -> bytes:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadAuditKey("this is not a public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadAuditKey("anchors are signed with Ed25519, and this key is another")
    return _raw(key)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
