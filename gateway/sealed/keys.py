"""The keys that wrap those of sealed messages: read from a file or a variable, rotated, and never shown.

AES-256-GCM (NIST SP 800-38D) with a random nonce. Left out on purpose: where the text of the keys comes from.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_LINE: Final = re.compile(r"(\S+)\s+(\S+)")


class UnknownKey(Exception):
    """Something was wrapped with a key that is not here (any more); the text names it."""


class Damaged(Exception):
    """What was sealed has been changed, cut off or moved; nothing of it was given out."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Named 256-bit keys; the first is the one that wraps."""

    keys: tuple[tuple[str, bytes], ...] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> "Keyring":
        """Lines of a name and a key in base64; empty lines and those that begin with # are passed over.

        Raises:
            ValueError: with the line that is wrong, and never what stands in it.
        """
        try:
            text = data.decode("ascii")
        except UnicodeDecodeError:
            raise ValueError("keys are lines of a name and a key in base64, in ASCII") from None
        keys = tuple(_lines(text))
        if not keys:
            raise ValueError("there is no key in it")
        if len({name for name, _ in keys}) < len(keys):
            raise ValueError("two keys have the same name")
        return cls(keys)

    @property
    def current(self) -> str:
        """The name of the key that wraps."""
        return self.keys[0][0]

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The keys without their names."""
        return tuple(key for _, key in self.keys)

    def to_bytes(self) -> bytes:
        """What `parse` reads."""
        lines = [f"{name} {base64.b64encode(key).decode()}\n" for name, key in self.keys]
        return "".join(["# The first key seals; the others open what was sealed before.\n", *lines]).encode()

    def rotated(self, name: str) -> "Keyring":
        """With a new key in front. Raises ValueError for a name that cannot be, or is there."""
        if not _NAME.fullmatch(name) or name in dict(self.keys):
            raise ValueError(f"`{name}` cannot be the name of a new key")
        return Keyring(((name, secrets.token_bytes(KEY_BYTES)), *self.keys))

    def only_current(self) -> "Keyring":
        """Without the keys that only open."""
        return Keyring(self.keys[:1])

    def wrap(self, key: bytes, about: bytes) -> tuple[str, bytes]:
        """The name of the wrapping key, and the wrapped one, which opens only together with the same ``about``."""
        name, wrapping = self.keys[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return name, nonce + AESGCM(wrapping).encrypt(nonce, key, about)

    def unwrap(self, name: str, wrapped: bytes, about: bytes) -> bytes:
        """What was wrapped. Raises UnknownKey, Damaged."""
        key = self._key(name)
        try:
            return AESGCM(key).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError):
            raise Damaged("a wrapped key does not open") from None

    def _key(self, name: str) -> bytes:
        found = dict(self.keys).get(name)
        if found is None:
            raise UnknownKey(f"the key `{name}` is not among those of secrets.sealing")
        return found


def new_keyring(name: str = "first") -> Keyring:
    """One new key."""
    return Keyring(((name, secrets.token_bytes(KEY_BYTES)),))


def _lines(text: str) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        key = _decoded(match[2]) if match else None
        if match is None or key is None or not _NAME.fullmatch(match[1]):
            raise ValueError(f"line {number} is not a name and a key of {KEY_BYTES} bytes in base64")
        yield match[1], key


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
