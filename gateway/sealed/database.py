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
from pathlib import Path
from typing import Final, TypeVar

from gateway.flow.ports import SealedStoreError
from gateway.sealed.keys import Damaged, UnknownKey
from gateway.sealed.schema import NAME, PRAGMAS, TABLES, VERSION

_T = TypeVar("_T")

THREADS: Final = 4
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


class Database:
    """Connections to one file, made when a thread first needs one."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder and the tables; blocks. Raises SealedStoreError."""
        self._path = folder / NAME
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sealed")
        with told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._make()

    def _make(self) -> None:
        db = self._connect()
        try:
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        finally:
            db.close()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.executescript(PRAGMAS)
        return db

    def _mine(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            found = self._local.db = self._connect()
            with self._guard:
                self._all.append(found)
        return found

    async def run(self, work: Callable[[], _T], within: float = WITHIN) -> _T:
        """Blocking work that is no transaction, in a thread, for so many seconds. Raises SealedStoreError."""
        loop = asyncio.get_running_loop()
        with told():
            try:
                return await asyncio.wait_for(loop.run_in_executor(self._threads, work), within)
            except TimeoutError:
                raise SealedStoreError("the store of sealed messages does not answer in time") from None

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """A look at one state of it. Raises SealedStoreError."""
        return await self.run(lambda: self._transaction("BEGIN", work))

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """All or nothing, durable on return. Raises SealedStoreError."""
        return await self.run(lambda: self._transaction("BEGIN IMMEDIATE", work))

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

    async def fold(self) -> None:
        """Empties the log, so that what was overwritten is nowhere any more. Readers may hold it up for a while."""

        def checkpoint() -> None:
            self._mine().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        await self.run(checkpoint)

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
        self._threads.shutdown(wait=True)
        for db in self._all:
            db.close()
