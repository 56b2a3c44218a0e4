"""One body's file, read in blocks from wherever one wants, and opened if it is sealed.

Each block opens the file anew, so nothing is left open. Left out on purpose: its digest, which takes the whole body.
"""

import os
from pathlib import Path
from typing import Final

from gateway.flow.ports import SpoolError
from gateway.spool.body_keys import CHUNK, HEAD, SEALED_CHUNK, BodyKeys, BodyOpener, is_sealed

BLOCK: Final = 4 * CHUNK


class BodyFile:
    """A body of ``size`` bytes."""

    def __init__(self, path: Path, size: int, keys: BodyKeys) -> None:
        self._path = path
        self._size = size
        self._keys = keys
        self._opener: BodyOpener | None = None

    def block(self, number: int) -> bytes:
        """The block of that number, each of `BLOCK` bytes but the last; blocks. Raises SpoolError."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise _unreadable(error) from error
        try:
            block = self._read(fd, number)
        except OSError as error:
            raise _unreadable(error) from error
        finally:
            os.close(fd)
        if len(block) != min(BLOCK, self._size - number * BLOCK):
            raise SpoolError("the body is damaged")
        return block

    def beginning(self, limit: int) -> bytes:
        """The first bytes; blocks. Raises SpoolError."""
        wanted = min(limit, self._size)
        return b"".join(self.block(number) for number in range(-(-wanted // BLOCK)))[:wanted]

    def _read(self, fd: int, number: int) -> bytes:
        if not is_sealed(os.fstat(fd).st_size, self._size):
            return os.pread(fd, BLOCK, number * BLOCK)
        if self._opener is None:
            self._opener = self._keys.opener(os.pread(fd, HEAD, 0), self._size)
        chunks = BLOCK // CHUNK
        sealed = os.pread(fd, chunks * SEALED_CHUNK, HEAD + number * chunks * SEALED_CHUNK)
        return self._opener.open(number * chunks, sealed)


def _unreadable(error: OSError) -> SpoolError:
    return SpoolError(f"the body cannot be read: {error.strerror}")
