"""The one thread that writes a shard. It commits in groups, without a timer: each takes all that waited for the last.

So a lone message waits for one disk write, and a hundred at once share one. Should a group fail, each of its units is
tried again in a transaction of its own, so a bad one never fails its neighbours. After an I/O error nothing is tried
again: what the kernel says about the file from then on cannot be trusted (fsync(2) reports a loss once).
"""

import asyncio
import os
import sqlite3
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias, TypeVar

from gateway.flow.ports import SpoolError, SpoolFull
from gateway.spool.changeset import Changeset, apply
from gateway.spool.disk import Disk

Result = TypeVar("Result")

_GROUP: Final = 256
"""Units of one commit; with bodies of 128 KiB a group holds 32 MiB."""

_IDLE: Final = 1.0
"""Seconds without work after which the write-ahead log is folded back and emptied: no message lingers in it."""

_FULL: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_NO_MEMORY: Final = (sqlite3.SQLITE_IOERR_NOMEM, sqlite3.SQLITE_IOERR_SHMMAP)
"""I/O errors by their name only: they tell of the process, and nothing of the file."""
_UNTRUSTED: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


_Tell: TypeAlias = Callable[[], None]
"""Gives a result to the future that waits for it; called on the event loop."""


@dataclass(slots=True)
class _Write:
    change: Changeset
    tell: _Tell
    fail: Callable[[SpoolError], None]


@dataclass(slots=True)
class _Task:
    """Reads and writes in a transaction of its own."""

    run: Callable[[sqlite3.Connection], tuple[_Tell, Sequence[str]]]
    fail: Callable[[SpoolError], None]


@dataclass(slots=True)
class _Read:
    """Looks at what is committed, after the group's commit."""

    run: Callable[[sqlite3.Connection], _Tell]
    fail: Callable[[SpoolError], None]


@dataclass(slots=True)
class _Unlink:
    path: str


class _Stop:
    pass


_Job: TypeAlias = _Write | _Task | _Read | _Unlink | _Stop


class Writer:
    """Takes work from the event loop that made it, and gives a group's results back to it in one call."""

    def __init__(self, db: sqlite3.Connection, folder: Path, disk: Disk, floor: int) -> None:
        self._db = db
        self._bodies = folder
        self._disk = disk
        self._floor = floor
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        # What one turn of the event loop asks for goes over together, so that groups are larger.
        self._gathered: list[_Job] = []
        self._broken: str | None = None
        self._closed = False
        self._log_is_empty = False
        self._thread = threading.Thread(target=self._live, name=f"spool {folder.parent.name}", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """False after an I/O error or a damaged database, for good."""
        return self._broken is None and not self._closed

    async def write(self, change: Changeset, ended: Callable[[bool], None]) -> None:
        """Durable on return. Raises SpoolFull, SpoolError; then nothing of it was kept.

        A caller that is cancelled while it waits does not stop the write; ``ended`` hears on the event loop, in any
        case and before the caller, whether it was kept.
        """
        future: asyncio.Future[None] = self._loop.create_future()

        def tell() -> None:
            ended(True)
            _resolve(future, None)

        def fail(error: SpoolError) -> None:
            ended(False)
            _fail(future, error)

        try:
            self._put(_Write(change, tell, fail))
        except SpoolError:
            ended(False)
            raise
        await future

    async def task(self, run: Callable[[sqlite3.Connection], tuple[Result, Sequence[str]]]) -> Result:
        """Runs it in a transaction of its own; it returns its result and the body files to remove afterwards.

        Raises SpoolFull, SpoolError.
        """
        future: asyncio.Future[Result] = self._loop.create_future()

        def work(db: sqlite3.Connection) -> tuple[_Tell, Sequence[str]]:
            result, useless = run(db)
            return lambda: _resolve(future, result), useless

        self._put(_Task(work, lambda error: _fail(future, error)))
        return await future

    async def read(self, run: Callable[[sqlite3.Connection], Result]) -> Result:
        """Runs it on what is committed, which includes all that was written before. Raises SpoolError."""
        future: asyncio.Future[Result] = self._loop.create_future()

        def work(db: sqlite3.Connection) -> _Tell:
            result = run(db)
            return lambda: _resolve(future, result)

        self._put(_Read(work, lambda error: _fail(future, error)))
        return await future

    def unlink(self, path: str) -> None:
        """Removes a body file some time later; a file that stays is found by the next sweep."""
        self._jobs.put(_Unlink(path))

    async def aclose(self) -> None:
        """Finishes what was given to it, folds the log back, and closes the database."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._jobs.put(_Stop())
        await asyncio.to_thread(self._thread.join)

    def break_down(self, reason: str) -> None:
        """Stops the shard: nothing more is taken or given out."""
        self._broken = self._broken or reason

    def _put(self, job: _Job) -> None:
        if self._closed:
            raise SpoolError("the shard is closed")
        if self._broken is not None:
            raise SpoolError(self._broken)
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)

    def _hand_over(self) -> None:
        for job in self._gathered:
            self._jobs.put(job)
        self._gathered.clear()

    # From here on the writer's thread.

    def _live(self) -> None:
        """Ends the process with itself: without this thread every commit would wait for ever, and nobody would know.

        What was acknowledged is on the disk, and a worker that died is replaced.
        """
        try:
            self._work()
        except BaseException:
            try:
                traceback.print_exc()
            finally:
                os._exit(os.EX_SOFTWARE)

    def _work(self) -> None:
        stopping = False
        while not stopping:
            jobs = self._next_group()
            stopping = any(isinstance(job, _Stop) for job in jobs)
            self._handle(jobs)
        self._fold_back()
        self._db.close()

    def _next_group(self) -> list[_Job]:
        jobs = [self._first()]
        try:
            while len(jobs) < _GROUP:
                jobs.append(self._jobs.get_nowait())
        except Empty:
            pass
        return jobs

    def _first(self) -> _Job:
        try:
            return self._jobs.get(timeout=_IDLE)
        except Empty:
            self._fold_back()
            return self._jobs.get()

    def _handle(self, jobs: Sequence[_Job]) -> None:
        useless: list[str] = []
        told = self._write_all([job for job in jobs if isinstance(job, _Write)], useless)
        told += [self._run_task(job, useless) for job in jobs if isinstance(job, _Task)]
        told += [self._run_read(job) for job in jobs if isinstance(job, _Read)]
        self._deliver(told)
        for path in [*useless, *(job.path for job in jobs if isinstance(job, _Unlink))]:
            self._unlink(path)

    def _write_all(self, writes: Sequence[_Write], useless: list[str]) -> list[_Tell]:
        refused = self._refusal() if any(write.change.needs_room for write in writes) else None
        if refused is None:
            return self._write_group(writes, useless)
        told = [partial(write.fail, refused) for write in writes if write.change.needs_room]
        return told + self._write_group([write for write in writes if not write.change.needs_room], useless)

    def _write_group(self, writes: Sequence[_Write], useless: list[str]) -> list[_Tell]:
        if not writes:
            return []
        try:
            useless += self._transaction(lambda db: apply(db, [write.change for write in writes]))
        except SpoolError as error:
            if len(writes) == 1 or self._broken is not None:
                return [partial(write.fail, error) for write in writes]
            return [tell for write in writes for tell in self._write_group([write], useless)]
        return [write.tell for write in writes]

    def _run_task(self, task: _Task, useless: list[str]) -> _Tell:
        try:
            tell, paths = self._transaction(task.run)
        except SpoolError as error:
            return partial(task.fail, error)
        useless += paths
        return tell

    def _run_read(self, read: _Read) -> _Tell:
        try:
            self._check_trusted()
            return read.run(self._db)
        except Exception as error:  # Whatever it is, somebody waits for the answer.
            return partial(read.fail, self._mapped(error))

    def _transaction(self, run: Callable[[sqlite3.Connection], Result]) -> Result:
        """All or nothing, and on the disk. Raises SpoolError.

        On a full disk it is tried again once the log has given its space back: what settles must get through.
        """
        try:
            return self._attempt(run)
        except SpoolFull:
            if not self._fold_back():
                raise
            return self._attempt(run)

    def _attempt(self, run: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            self._check_trusted()
            self._log_is_empty = False
            self._db.execute("BEGIN IMMEDIATE")
            result = run(self._db)
            self._disk.commit(self._db)
        except Exception as error:  # Whatever it is, somebody waits for the answer.
            mapped = self._mapped(error)
            self._roll_back()
            raise mapped from error
        return result

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.break_down(f"a transaction could not be undone: {error}")

    def _check_trusted(self) -> None:
        if self._broken is not None:
            raise SpoolError(self._broken)

    def _refusal(self) -> SpoolError | None:
        """Why no new mail is taken, if so. The log is emptied first: it may hold what is missing."""
        try:
            if self._disk.free(self._bodies) >= self._floor:
                return None
            self._fold_back()
            if self._disk.free(self._bodies) >= self._floor:
                return None
        except OSError as error:
            return SpoolError(f"the free space of the spool cannot be told: {error}")
        return SpoolFull("the free space is below the reserve")

    def _mapped(self, error: Exception) -> SpoolError:
        if isinstance(error, SpoolError):
            return error
        code = error.sqlite_errorcode if isinstance(error, sqlite3.Error) and _has_code(error) else 0
        if code in _FULL:
            return SpoolFull("the disk is full")
        if code & 0xFF in _UNTRUSTED and code not in _NO_MEMORY:
            self.break_down(f"the database cannot be trusted: {error}")
        return SpoolError(f"the spool could not do it: {error}")

    def _deliver(self, told: Sequence[_Tell]) -> None:
        if told:
            try:
                self._loop.call_soon_threadsafe(_tell_all, told)
            except RuntimeError:  # The loop was closed, so nobody waits any more.
                return

    def _unlink(self, path: str) -> None:
        try:
            self._disk.unlink(self._bodies / path)
        except OSError:  # The next sweep finds it.
            return

    def _fold_back(self) -> bool:
        """Copies the log into the database and empties it; False if it is empty or a reader is in the way."""
        if self._broken is not None or self._log_is_empty:
            return False
        try:
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            self._mapped(error)
            return False
        self._log_is_empty = not busy
        return self._log_is_empty


def _has_code(error: sqlite3.Error) -> bool:
    """Errors of the sqlite3 module itself (a wrong parameter) carry none."""
    return getattr(error, "sqlite_errorcode", None) is not None


def _tell_all(told: Sequence[_Tell]) -> None:
    for tell in told:
        tell()


# A future that is done already was cancelled by its caller.


def _resolve(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Result], error: SpoolError) -> None:
    if not future.done():
        future.set_exception(error)
