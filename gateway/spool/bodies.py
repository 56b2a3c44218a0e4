"""Bodies of one shard: small ones travel in their row, large ones in files of ``bodies/`` that are written once.

A file is made under its final name, which nothing knows until the commit that refers to it: so there is no rename, and
a crash leaves at most a file without a message, which the next opening removes. Every read is checked against the
digest, so damage shows before the final dot is sent and not after.
"""

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from gateway.core.record import BodyRef
from gateway.flow.ports import SpoolError, SpoolFull
from gateway.spool.disk import Disk

BLOCK: Final = 256 * 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class FileBodies:
    """See `flow.ports.Bodies`. ``threads`` does what waits for the disk; ``unlink`` removes a file later.

    ``broken`` is told of an I/O error; after it the shard takes no more mail.
    """

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        threads: Executor,
        *,
        inline: int,
        floor: int,
        unlink: Callable[[str], None],
        broken: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.disk = disk
        self.threads = threads
        self.inline = inline
        self._floor = floor
        self._unlink = unlink
        self._broken = broken
        self._seen_full = True  # Nobody has looked yet.
        self._uncommitted: set[str] = set()
        self._committing: set[str] = set()

    @property
    def unsettled(self) -> set[str]:
        """Files that are being written, are written and not yet given to a commit, or whose commit is under way."""
        return self._uncommitted | self._committing

    def writer(self) -> "FileBodyWriter":
        """See `flow.ports.Bodies`. The disk is asked only if it was found full last: the commit asks it in any case."""
        if self._seen_full:
            self.check_room()
        return FileBodyWriter(self)

    async def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        """See `flow.ports.Bodies`. The digest is checked when the last block has been read."""
        if ref.inline is not None:
            if len(ref.inline) != ref.size or hashlib.sha256(ref.inline).hexdigest() != ref.sha256:
                raise SpoolError("the body is damaged")
            for start in range(offset, ref.size, BLOCK):
                yield ref.inline[start : start + BLOCK]
            return
        if not ref.path:
            raise SpoolError("the body was not loaded")
        async for start, block in _Reading(self.folder / ref.path, ref).blocks(self.threads):
            if start + len(block) > offset:
                yield block[max(0, offset - start) :]

    def begun(self, path: str) -> None:
        """A writer has made the file."""
        self._uncommitted.add(path)

    def hand_over(self, paths: Iterable[str]) -> frozenset[str]:
        """The files are a commit's until it is `over`, and their writers can discard them no more; returns ours."""
        given = self._uncommitted.intersection(paths)
        self._uncommitted -= given
        self._committing |= given
        return frozenset(given)

    def over(self, given: frozenset[str], *, kept: bool) -> None:
        """The commit has ended, for certain; if it has kept nothing, its files go."""
        self._committing -= given
        if not kept:
            for path in given:
                self._unlink(path)

    def forget(self, path: str) -> None:
        """Removes a file that no commit has got."""
        if path in self._uncommitted:
            self._uncommitted.discard(path)
            self._unlink(path)

    def check_room(self) -> None:
        """Raises SpoolFull below the floor."""
        try:
            free = self.disk.free(self.folder)
        except OSError as error:
            raise self.failed(error) from error
        self._seen_full = free < self._floor
        if self._seen_full:
            raise SpoolFull("the free space is below the reserve")

    def told_full(self) -> None:
        """A commit found the disk full."""
        self._seen_full = True

    def failed(self, error: OSError) -> SpoolError:
        """What to raise for it; an error of the device stops the shard."""
        if error.errno in _FULL:
            self._seen_full = True
            return SpoolFull("the disk is full")
        if error.errno == errno.EIO:
            self._broken(f"a body could not be written: {error}")
        return SpoolError(f"a body could not be written: {error}")


class FileBodyWriter:
    """See `flow.ports.BodyWriter`. Blocks are written as they come: into the page cache, not to the disk."""

    def __init__(self, bodies: FileBodies) -> None:
        self._bodies = bodies
        self._digest = hashlib.sha256()
        self._size = 0
        self._blocks: list[bytes] = []
        self._fd: int | None = None
        self._path: str | None = None

    def write(self, block: bytes) -> None:
        """See `flow.ports.BodyWriter`."""
        self._digest.update(block)
        self._size += len(block)
        self._blocks.append(block)
        if self._size > self._bodies.inline:
            self._spill()

    async def finish(self) -> BodyRef:
        """See `flow.ports.BodyWriter`."""
        digest = self._digest.hexdigest()
        if self._fd is None or self._path is None:
            return BodyRef(size=self._size, sha256=digest, inline=b"".join(self._blocks))
        fd, self._fd = self._fd, None
        try:
            await asyncio.get_running_loop().run_in_executor(self._bodies.threads, self._make_durable, fd)
        except OSError as error:
            self.discard()
            raise self._bodies.failed(error) from error
        return BodyRef(size=self._size, sha256=digest, path=self._path)

    def discard(self) -> None:
        """See `flow.ports.BodyWriter`."""
        self._blocks.clear()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._path is not None:
            self._bodies.forget(self._path)

    def _spill(self) -> None:
        try:
            self._bodies.check_room()
            fd = self._file()
            for block in self._blocks:
                self._bodies.disk.write(fd, block)
        except OSError as error:
            self.discard()
            raise self._bodies.failed(error) from error
        except SpoolError:
            self.discard()
            raise
        self._blocks.clear()

    def _file(self) -> int:
        if self._fd is None:
            path = secrets.token_hex(16)
            self._fd = self._bodies.disk.create(self._bodies.folder / path)
            self._path = path
            self._bodies.begun(path)
        return self._fd

    def _make_durable(self, fd: int) -> None:
        try:
            self._bodies.disk.sync(fd)
        finally:
            os.close(fd)
        self._bodies.disk.sync_folder(self._bodies.folder)


class _Reading:
    """One file being read from its start, digest and all. Each block opens it anew, so nothing is left open."""

    def __init__(self, path: Path, ref: BodyRef) -> None:
        self._path = path
        self._ref = ref
        self._digest = hashlib.sha256()

    async def blocks(self, threads: Executor) -> AsyncIterator[tuple[int, bytes]]:
        """Each block with its offset. Raises SpoolError, at the end if the digest is wrong."""
        loop = asyncio.get_running_loop()
        start = 0
        while start < self._ref.size:
            try:
                block = await loop.run_in_executor(threads, self._read, start)
            except OSError as error:
                raise SpoolError(f"the body cannot be read: {error}") from error
            if start + len(block) == self._ref.size and self._digest.hexdigest() != self._ref.sha256:
                raise SpoolError("the body is damaged")
            yield start, block
            start += len(block)

    def _read(self, start: int) -> bytes:
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            block = os.pread(fd, BLOCK, start)
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        if size != self._ref.size or not block:
            raise SpoolError("the body is damaged")
        self._digest.update(block)
        return block
