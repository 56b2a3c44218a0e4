"""Bodies of one shard: small ones travel in their row, large ones in files of ``bodies/`` that are written once.

A file is made under its final name, which nothing knows until the commit that refers to it: so there is no rename, and
a crash leaves at most a file without a message, which the next opening removes. Every read is checked against the
digest, so damage shows before the final dot is sent and not after. With keys, bodies are sealed as they are written.
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
from gateway.spool.body_file import BLOCK, BodyFile
from gateway.spool.body_keys import BodyKeys, BodySealer
from gateway.spool.disk import Disk

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
        keys: BodyKeys,
        unlink: Callable[[str], None],
        broken: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.disk = disk
        self.threads = threads
        self.inline = inline
        self.keys = keys
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
        start = 0
        async for block in self._blocks(BodyFile(self.folder / ref.path, ref.size, self.keys), ref):
            if start + len(block) > offset:
                yield block[max(0, offset - start) :]
            start += len(block)

    async def _blocks(self, file: BodyFile, ref: BodyRef) -> AsyncIterator[bytes]:
        """All of them. Raises SpoolError instead of the last if the digest is wrong."""
        digest, loop = hashlib.sha256(), asyncio.get_running_loop()
        last = (ref.size - 1) // BLOCK
        for number in range(last + 1):
            block = await loop.run_in_executor(self.threads, file.block, number)
            digest.update(block)
            if number == last and digest.hexdigest() != ref.sha256:
                raise SpoolError("the body is damaged")
            yield block

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
        self._sealer: BodySealer | None = None
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
                self._bodies.disk.write(fd, self._sealer.feed(block) if self._sealer else block)
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
            self._sealer = self._bodies.keys.sealer()
        return self._fd

    def _make_durable(self, fd: int) -> None:
        try:
            if self._sealer is not None:
                self._bodies.disk.write(fd, self._sealer.finish())
            self._bodies.disk.sync(fd)
        finally:
            os.close(fd)
        self._bodies.disk.sync_folder(self._bodies.folder)
