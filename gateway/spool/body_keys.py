"""Bodies at rest: chunks of AES-256-GCM under a key of their own, made from one that is kept outside the spool.

What is stored begins with the key's mark and a salt; HMAC-SHA256 of the salt under the master key is the body's key, so
that chunks may simply be numbered (NIST SP 800-38D section 8.2.1), and the last one is marked, so that nothing can be
cut off. Whether a body is sealed shows in its length. Left out on purpose: whose body it is, which the digest in the
message's record tells.
"""

import hmac
import secrets
import struct
from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.flow.ports import SpoolError

CHUNK: Final = 64 * 1024
"""Plain bytes of a chunk, but for the last."""
MARK: Final = 4
HEAD: Final = MARK + 16
"""Bytes before the first chunk: the key's mark, and the salt."""
SEALED_CHUNK: Final = CHUNK + 16
_NONCE: Final = struct.Struct(">IB7x")


class KeyMissing(SpoolError):
    """A body is sealed with a key that is not here."""

    def __init__(self) -> None:
        super().__init__("the body is damaged, or sealed with a key that is not among those of secrets.spool")


class BodyKeys:
    """The first key seals, all open. Without any, bodies are stored as they came."""

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        """Raises ValueError for keys of other than 32 bytes."""
        self._keys = {_mark(key): key for key in keys}
        if any(len(key) != 32 for key in self._keys.values()):
            raise ValueError("a key has 32 bytes")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._keys)

    @property
    def first(self) -> str:
        """The mark of the key that seals, in hexadecimal; empty if bodies are stored as they come."""
        return next((mark.hex() for mark in self._keys), "")

    def has(self, mark: str) -> bool:
        """Whether what was sealed with the key of that mark can be opened."""
        return not mark or bytes.fromhex(mark) in self._keys

    def seal(self, body: bytes) -> bytes:
        """A body in one piece, as it is stored."""
        sealer = self.sealer()
        return body if sealer is None else sealer.feed(body) + sealer.finish()

    def sealer(self) -> "BodySealer | None":
        """For a body that comes in blocks; None if bodies are stored as they come."""
        return next((BodySealer(mark, key) for mark, key in self._keys.items()), None)

    def open(self, stored: bytes, size: int) -> bytes:
        """The body of that size. Raises SpoolError."""
        if not is_sealed(len(stored), size):
            return stored
        return self.opener(stored[:HEAD], size).open(0, stored[HEAD:])

    def opener(self, head: bytes, size: int) -> "BodyOpener":
        """For a sealed body that is read in blocks. Raises KeyMissing."""
        key = self._keys.get(head[:MARK])
        if key is None:
            raise KeyMissing
        return BodyOpener(_cipher(key, head[MARK:]), _chunks(size))


NO_KEYS: Final = BodyKeys()
"""Bodies are stored as they come."""


class BodySealer:
    """Gives the sealed bytes for the plain ones, the head first."""

    def __init__(self, mark: bytes, key: bytes) -> None:
        salt = secrets.token_bytes(HEAD - MARK)
        self._head = mark + salt
        self._cipher = _cipher(key, salt)
        self._waiting = bytearray()
        self._number = 0

    def feed(self, data: bytes) -> bytes:
        """What can be sealed by now: the last chunk is only known at the end."""
        self._waiting += data
        ready = (len(self._waiting) - 1) // CHUNK * CHUNK
        starts = range(0, ready, CHUNK)
        sealed = b"".join(self._seal(bytes(self._waiting[at : at + CHUNK]), last=False) for at in starts)
        del self._waiting[: max(0, ready)]
        return sealed

    def finish(self) -> bytes:
        """The rest."""
        return self._seal(bytes(self._waiting), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_NONCE.pack(self._number, last), chunk, None)
        self._number += 1
        head, self._head = self._head, b""
        return head + sealed


class BodyOpener:
    """Opens one body's chunks, in any order."""

    def __init__(self, cipher: AESGCM, chunks: int) -> None:
        self._cipher = cipher
        self._chunks = chunks

    def open(self, first: int, sealed: bytes) -> bytes:
        """The plain bytes of whole chunks from the number ``first`` on. Raises SpoolError: they were changed."""
        starts = enumerate(range(0, len(sealed), SEALED_CHUNK), start=first)
        return b"".join(self._one(number, sealed[at : at + SEALED_CHUNK]) for number, at in starts)

    def _one(self, number: int, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(_NONCE.pack(number, number == self._chunks - 1), sealed, None)
        except InvalidTag:
            raise SpoolError("the body is damaged") from None


def is_sealed(stored: int, size: int) -> bool:
    """Whether so many stored bytes are a sealed body of that size. Raises SpoolError if they are neither."""
    if stored == size:
        return False
    if stored != HEAD + size + _chunks(size) * (SEALED_CHUNK - CHUNK):
        raise SpoolError("the body is damaged")
    return True


def plain_size(stored: int) -> int:
    """How long a body is of which so many sealed bytes are stored."""
    chunks = -(-(stored - HEAD) // SEALED_CHUNK)
    return stored - HEAD - chunks * (SEALED_CHUNK - CHUNK)


def _chunks(size: int) -> int:
    return max(1, -(-size // CHUNK))


def _mark(key: bytes) -> bytes:
    return hmac.digest(key, b"sealpost body mark", "sha256")[:MARK]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, b"sealpost body" + salt, "sha256"))
