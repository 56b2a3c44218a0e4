"""The keys that sign outgoing mail (RFC 6376, RFC 8463), as the configuration names them, and as they are used."""

from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey


class BadKey(ValueError):
    """The bytes are no key that can sign; the text is one clause, and never repeats the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """For mail whose header From is in one of ``domains``; ``private_key`` is PEM, RSA or Ed25519."""

    domains: frozenset[str]
    selector: str
    private_key: bytes = field(repr=False)


def load_key(pem: bytes) -> PrivateKey:
    """Reads a private key of one of the two kinds.

    Raises:
        BadKey: it is not one.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise BadKey("the key has a passphrase, which nobody could type in") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("this is not a private key in PEM form") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise BadKey("mail is signed with RSA or Ed25519, and this key is neither")
    return key
