"""DKIM signatures over a header as it leaves (RFC 6376, RFC 8463), relaxed/relaxed, one for each key of the author's
domain.

The hash of the body is given, so nothing here depends on its size; dkimpy does the canonical form of the fields. Left
out on purpose: the tags i, l and x, ARC, and signing for a domain above the author's.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Final, assert_never, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from dkim.canonicalization import Relaxed  # pyright: ignore[reportMissingTypeStubs]

from gateway.core.author import author_domain
from gateway.core.facts import Field
from gateway.core.header import read_header
from gateway.flow.ports import Clock, Signer
from gateway.signing.keys import DkimKey, PrivateKey, load_key

# Each is signed once more than it stands, so that nobody can add another one (RFC 6376 section 8.15).
_ALWAYS: Final = ("from", "subject", "date", "to", "cc", "reply-to")
# These too, but only where they stand: hosts on the way may add them where they are missing (RFC 6409 section 8).
# RFC 8058 section 4 wants the two of unsubscribing signed.
_WHERE_THERE: Final = (
    "sender",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_FOLD: Final = "\r\n\t"
_relaxed = cast(
    "Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]",
    Relaxed.canonicalize_headers,  # pyright: ignore[reportUnknownMemberType]
)
# A line should stay below 79 characters (RFC 5322 section 2.1.1), whatever the names are.
_NAMES_IN_LINE: Final = 3
_BASE64_IN_LINE: Final = 72


@dataclass(frozen=True, slots=True)
class _Key:
    selector: str
    private: PrivateKey

    @property
    def algorithm(self) -> str:
        match self.private:
            case RSAPrivateKey():
                return "rsa-sha256"
            case Ed25519PrivateKey():
                return "ed25519-sha256"
            case _:
                assert_never(self.private)

    def sign(self, data: bytes) -> bytes:
        match self.private:
            case RSAPrivateKey():
                return self.private.sign(data, PKCS1v15(), SHA256())
            case Ed25519PrivateKey():
                # RFC 8463 section 3: what Ed25519 signs is the SHA-256 digest.
                return self.private.sign(sha256(data).digest())
            case _:
                assert_never(self.private)


class Dkim(Signer):
    """Signs with keys that are loaded once. Raises BadKey for one that cannot be used."""

    def __init__(self, keys: Sequence[DkimKey], clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, list[_Key]] = {}
        for key in keys:
            loaded = _Key(key.selector, load_key(key.private_key))
            for domain in key.domains:
                self._keys.setdefault(domain, []).append(loaded)

    def wanted(self, domain: str) -> bool:
        """Whether there is a key for the domain."""
        return domain in self._keys

    def sign(self, header: bytes, body_hash: str) -> bytes:
        """The signature fields; none unless the header has one author, of a domain with a key."""
        fields = read_header(header.removesuffix(b"\r\n")).fields
        domain = author_domain([field.value for field in fields if field.name.casefold() == "from"])
        keys = self._keys.get(domain, ())
        if not keys:
            return b""
        names, signed = _selected(fields)
        at = int(self._clock.now().timestamp())
        return b"".join([_signature(key, domain, at, names, signed, body_hash) for key in keys])


def _selected(fields: Sequence[Field]) -> tuple[Sequence[str], bytes]:
    """The names of the tag ``h``, and the fields that they stand for: from the last to the first of a name."""
    there: dict[str, list[Field]] = {name: [] for name in (*_ALWAYS, *_WHERE_THERE)}
    for field in reversed(fields):
        there.get(field.name.casefold(), []).append(field)
    names = [[name] * (len(found) + 1) for name, found in there.items() if found or name in _ALWAYS]
    return [*chain(*names)], b"".join([_canonical(name, field.value) for name in there for field in there[name]])


def _signature(key: _Key, domain: str, at: int, names: Sequence[str], signed: bytes, body_hash: str) -> bytes:
    lines = [":".join(names[start : start + _NAMES_IN_LINE]) for start in range(0, len(names), _NAMES_IN_LINE)]
    value = _FOLD.join(
        [
            f" v=1; a={key.algorithm}; c=relaxed/relaxed; t={at};",
            f"d={domain}; s={key.selector};",
            f"bh={body_hash};",
            f"h={f':{_FOLD}'.join(lines)};",
            "b=",
        ]
    )
    # The field itself is signed last, without its signature and the line end (RFC 6376 section 3.7).
    data = signed + _canonical("dkim-signature", value.encode()).removesuffix(b"\r\n")
    text = b64encode(key.sign(data)).decode()
    parts = [text[start : start + _BASE64_IN_LINE] for start in range(0, len(text), _BASE64_IN_LINE)]
    return f"DKIM-Signature:{value}{_FOLD.join(parts)}\r\n".encode()


def _canonical(name: str, value: bytes) -> bytes:
    return b"".join([name + b":" + value for name, value in _relaxed([(name.encode(), value)])])
