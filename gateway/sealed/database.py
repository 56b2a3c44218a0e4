"""SQLite for several processes: short transactions in threads of ours, each thread with a connection of its own.

Every failure of the database, the disk or a key becomes a SealedStoreError that names no content.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from gateway.flow.ports import SealedStoreError
from gateway.sealed.keys import Damaged, UnknownKey
from gateway.sealed.schema import NAME, PRAGMAS, TABLES, VERSION

_T = TypeVar("_T")

THREADS: Final = 4
HASHES: Final = 2
"""At once: one leaves a core idle, and with three each only takes longer (`python -m bench.portal`, two cores)."""
WITHIN: Final = 30.0
"""Seconds that anything may take; SQLite itself waits ten for another process."""


@contextlib.contextmanager
def told() -> Generator[None]:
    """Whatever goes wrong inside is said in the store's own way."""
    try:
        yield
    except (Damaged, UnknownKey) as error:
        raise SealedStoreError(str(error)) from error
    except sqlite3.Error as error:
        raise SealedStoreError(f"the store of sealed messages does not answer: {error}") from error
    except OSError as error:
        raise SealedStoreError(f"the store of sealed messages cannot be used: {error.strerror}") from error


@contextlib.contextmanager
def opening(folder: Path) -> Generator[None]:
    """What goes wrong while a store is opened is for an administrator: it names the file, and says what to do."""
    try:
        yield
    except SealedStoreError as error:
        raise SealedStoreError(
            f"cannot open {folder / NAME}: {error}. Mend what it says; a damaged file, or one in the way, is replaced"
            f" from a backup, after its -wal and -shm were taken away with it. Without one, move the folder {folder}"
            " away: what lies sealed in it is lost."
        ) from error


@dataclass(frozen=True, slots=True)
class _Open:
    """A connection of a thread; ``which`` tells the file from another one of the same name."""

    db: sqlite3.Connection
    which: tuple[int, int]


class Database:
    """Connections to one file, made when a thread first needs one, and anew when the file was replaced.

    ``admit`` sees each before it is used, and may raise.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder and the tables; blocks. Raises SealedStoreError."""
        self._path = folder / NAME
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self.admit: Callable[[sqlite3.Connection], None] = lambda _: None
        self._guard = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sealed")
        # One of ours writes at a time: SQLite lets those that wait for a lock sleep for milliseconds.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sealed-write")
        # Looks at the database are not to wait behind many hashes.
        self._hashing = ThreadPoolExecutor(HASHES, thread_name_prefix="sealed-hash")
        with told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._make()

    def _make(self) -> None:
        db = self._connect()
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"it is of version {version}, and this program reads {VERSION}")
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        finally:
            db.close()

    def _connect(self) -> sqlite3.Connection:
        # Never makes a file: one that is missing would be taken for an empty store.
        where = f"{self._path.absolute().as_uri()}?mode=rw"
        db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.executescript(PRAGMAS)
        return db

    def _mine(self) -> sqlite3.Connection:
        """A file that was moved away or removed would still take what nobody finds again, so the name is looked at."""
        status = self._path.stat()
        which = status.st_dev, status.st_ino
        found: _Open | None = getattr(self._local, "open", None)
        if found is None or found.which != which:
            self._drop(found)
            found = self._local.open = _Open(self._admitted(), which)
            with self._guard:
                self._all.append(found.db)
        return found.db

    def _admitted(self) -> sqlite3.Connection:
        db = self._connect()
        try:
            self.admit(db)
        except BaseException:
            db.close()
            raise
        return db

    def _drop(self, found: _Open | None) -> None:
        if found is not None:
            self._local.open = None
            with self._guard:
                self._all.remove(found.db)
            found.db.close()

    async def run(self, work: Callable[[], _T], within: float = WITHIN) -> _T:
        """Blocking work that is no transaction, in a thread, for so many seconds. Raises SealedStoreError."""
        return await _within(self._threads, work, within)

    async def hashed(self, work: Callable[[], _T]) -> _T:
        """Work that hashes what somebody typed. Raises SealedStoreError."""
        return await _within(self._hashing, work, WITHIN)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """A look at one state of it. Raises SealedStoreError."""
        return await self.run(lambda: self._transaction("BEGIN", work))

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """All or nothing, durable on return. Raises SealedStoreError."""
        return await _within(self._writer, lambda: self._transaction("BEGIN IMMEDIATE", work), WITHIN)

    def _transaction(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        db = self._mine()
        db.execute(begin)
        try:
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return result

    async def fold(self) -> bool:
        """Empties the log, so that what was overwritten is nowhere any more; False where a reader held it up."""

        def checkpoint() -> bool:
            (busy, _, _) = self._mine().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

        return await self.run(checkpoint)

    async def each(self, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Gives out what a blocking iterator gives, taken in threads. Raises SealedStoreError."""
        try:
            while (block := await self.run(lambda: next(blocks, None))) is not None:
                yield block
        finally:
            if isinstance(blocks, Generator):
                await self.run(blocks.close)

    def close(self) -> None:
        """Ends the threads and connections; blocks for what is in hand."""
        for threads in (self._threads, self._writer, self._hashing):
            threads.shutdown(wait=True)
        for db in self._all:
            db.close()


async def _within(threads: ThreadPoolExecutor, work: Callable[[], _T], seconds: float) -> _T:
    loop = asyncio.get_running_loop()
    with told():
        try:
            return await asyncio.wait_for(loop.run_in_executor(threads, work), seconds)
        except TimeoutError:
            raise SealedStoreError("the store of sealed messages does not answer in time") from None
