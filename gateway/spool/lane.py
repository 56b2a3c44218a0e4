"""One connection to the shared state with a thread of its own: whatever holds it up, each question has an end.

A question is answered or refused in two seconds, however many wait; behind a failure the next ones fail at once for a
while, because each of them would be held up by the same thing. Left out on purpose: what is asked (`spool.state`).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.flow.ports import Clock, SpoolError

WITHIN: Final = 2.0
"""Seconds that anybody waits for an answer: somebody may stand at the door behind it."""
BUSY: Final = 500
"""Milliseconds that a statement waits for another process's lock; a transaction of ours takes a few."""
MOST_WAITING: Final = 1000
"""Questions that wait, each a few hundred bytes."""
REST: Final = 1.0
"""Seconds after a failure in which nothing is tried."""

_OPENING: Final = 5.0
"""Seconds that opening waits for a lock: all workers open the store in the same moment, and nobody waits for it yet."""

_Answer = TypeVar("_Answer")


class Lane:
    """Questions one after the other. For `open`."""

    def __init__(self, db: sqlite3.Connection, thread: ThreadPoolExecutor, clock: Clock) -> None:
        self._db = db
        self._thread = thread
        self._clock = clock
        self._waiting = 0
        self._rests_until = clock.monotonic()

    @classmethod
    async def open(cls, path: Path, prepare: str, clock: Clock) -> "Lane":
        """Opens the file, which is there, and runs the script ``prepare``. Raises SpoolError."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        try:
            opening = asyncio.get_running_loop().run_in_executor(thread, _open, path, prepare)
            return cls(await opening, thread, clock)
        except (sqlite3.Error, OSError) as error:
            thread.shutdown()
            raise _unusable(error) from error

    async def aclose(self) -> None:
        """Closes the connection behind what waits."""
        await asyncio.to_thread(self._thread.shutdown)
        self._db.close()

    async def ask(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """What the work returns. Raises SpoolError if there is no answer in time; it may then be done all the same."""
        asked = self.begin(work)
        done, _ = await asyncio.wait({asked}, timeout=WITHIN)
        if not done:
            self._rests_until = self._clock.monotonic() + REST
            raise _unusable("it gives no answer")
        try:
            return asked.result()
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise _unusable(error) from error

    def begin(self, work: Callable[[sqlite3.Connection], _Answer]) -> asyncio.Future[_Answer]:
        """The same, for one who does not wait. Raises SpoolError if too many do, or it failed a moment ago."""
        self._check_rested()
        if self._waiting >= MOST_WAITING:
            raise _unusable("too much waits for it")
        self._waiting += 1
        ends_at = self._clock.monotonic() + WITHIN
        asked = asyncio.get_running_loop().run_in_executor(self._thread, partial(self._do, work, ends_at))
        asked.add_done_callback(self._over)
        return asked

    def _over(self, asked: asyncio.Future[_Answer]) -> None:
        self._waiting -= 1
        if not asked.cancelled():
            asked.exception()  # Whoever asked may be gone.

    def _do(self, work: Callable[[sqlite3.Connection], _Answer], ends_at: float) -> _Answer:
        """In the thread."""
        if self._clock.monotonic() >= ends_at:
            raise _unusable("it gives no answer")
        self._check_rested()
        try:
            return work(self._db)
        except (sqlite3.Error, OSError):
            self._rests_until = self._clock.monotonic() + REST
            raise

    def _check_rested(self) -> None:
        if self._clock.monotonic() < self._rests_until:
            raise _unusable("it failed a moment ago")


def _unusable(why: object) -> SpoolError:
    return SpoolError(f"the shared state cannot be used: {why}")


def _open(path: Path, prepare: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_OPENING)
    try:
        db.executescript(prepare)
        db.execute(f"PRAGMA busy_timeout = {BUSY}")
    except sqlite3.Error:
        db.close()
        raise
    return db
