"""A sealed file: chunks of AES-256-GCM that can be read from anywhere, and not be changed, reordered or cut off.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each nonce is a random prefix, the chunk's number
and whether it is the last. Everything blocks; the store calls it in threads. Left out on purpose: compression, which
would tell something of the content by its size.
"""

import secrets
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.sealed.keys import Damaged

CHUNK: Final = 64 * 1024
_TAG: Final = 16
_PREFIX: Final = 7
_MAGIC: Final = b"SEALPOST1\n"
_HEADER: Final = len(_MAGIC) + _PREFIX
_NONCE: Final = struct.Struct(">7sIB")
_NONCE_BYTES: Final = 12


class SealWriter:
    """Fed the plain bytes, writes the sealed ones. ``about`` is what the file belongs to."""

    def __init__(self, file: BinaryIO, key: bytes, about: bytes) -> None:
        self._file = file
        self._cipher = AESGCM(key)
        self._about = about
        self._prefix = secrets.token_bytes(_PREFIX)
        self._number = 0
        self._size = 0
        self._waiting = bytearray()
        file.write(_MAGIC + self._prefix)

    def write(self, data: bytes) -> None:
        """Takes the next bytes. Raises OSError."""
        self._size += len(data)
        self._waiting += data
        # The last chunk is only known at the end, so a full one waits for the byte behind it.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(memoryview(self._waiting)[:CHUNK]), last=False)
            del self._waiting[:CHUNK]

    def finish(self) -> int:
        """Writes what waits; returns how many plain bytes there were. Raises OSError."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()
        return self._size

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        nonce = _NONCE.pack(self._prefix, self._number, last)
        self._file.write(self._cipher.encrypt(nonce, chunk, self._about))
        self._number += 1


class SealReader:
    """Reads a sealed file. Raises Damaged for one that is not what was written, before any byte of the bad chunk.

    ``size`` is in plain bytes, and proven once anything was read. Raises OSError, too.
    """

    def __init__(self, file: BinaryIO, key: bytes, about: bytes) -> None:
        self._file = file
        self._cipher = AESGCM(key)
        self._about = about
        sealed = file.seek(0, 2) - _HEADER
        file.seek(0)
        header = file.read(_HEADER)
        if sealed < _TAG or not header.startswith(_MAGIC):
            raise Damaged("a sealed file is cut off")
        self._prefix = header[len(_MAGIC) :]
        self._chunks = max(1, -(-sealed // (CHUNK + _TAG)))
        self.size = sealed - self._chunks * _TAG

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The plain bytes from ``start`` up to ``end``, chunk by chunk; nothing behind the end of the file."""
        # The last chunk proves that the file ends where it was ended: a range behind a cut is not just empty.
        self._open(self._chunks - 1)
        end = self.size if end is None else min(end, self.size)
        for number in range(start // CHUNK, -(-end // CHUNK) if start < end else 0):
            chunk, at = self._open(number), number * CHUNK
            yield chunk[max(0, start - at) : end - at]

    def _open(self, number: int) -> bytes:
        self._file.seek(_HEADER + number * (CHUNK + _TAG))
        sealed = self._file.read(CHUNK + _TAG)
        nonce = _NONCE.pack(self._prefix, number, number == self._chunks - 1)
        try:
            return self._cipher.decrypt(nonce, sealed, self._about)
        except (InvalidTag, ValueError):
            raise Damaged("a sealed file has been changed or cut off") from None


def seal_bytes(key: bytes, data: bytes, about: bytes) -> bytes:
    """A small value under a random nonce."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, about)


def open_bytes(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """What `seal_bytes` sealed. Raises Damaged."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        raise Damaged("a sealed value has been changed") from None
