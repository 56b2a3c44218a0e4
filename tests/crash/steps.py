"""The steps by which a gateway touches its disk and its next hops, counted, so that it can meet its fate at each."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto

from gateway.net.connection import Connection
from tests.spool.disks import SteppedDisk, sqlite_error

DIED = 77
STEP = "step "
BLOCKED = "blocked"
DOT_SENT = "dot sent"
"""From here on the next hop may have the message."""
COMMITTED = "committed"
"""From here on what was written is durable."""


class Fate(Enum):
    """What becomes of the process at a step: it dies, the step fails, or never returns until somebody kills it."""

    DIES = auto()
    FAILS = auto()
    BLOCKS = auto()


@dataclass
class Steps:
    """``say`` hears each step before it is taken, as ``<name> <which of that name>``; at step ``at`` is ``fate``.

    Names have numbers of their own because how many receives there are is the network's whim.
    """

    say: Callable[[str], None]
    at: str = ""
    fate: Fate = Fate.DIES
    _taken: Counter[str] = field(default_factory=Counter[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fails(self, name: str) -> bool:
        """Whether the step fails; there is no answer from a process that dies or a step that never returns."""
        with self._lock:
            self._taken[name] += 1
            step = f"{name} {self._taken[name]}"
            self.say(f"{STEP}{step}")
        if step != self.at:
            return False
        match self.fate:
            case Fate.DIES:
                os._exit(DIED)
            case Fate.FAILS:
                return True
            case Fate.BLOCKS:
                self.say(BLOCKED)
                threading.Event().wait()
                raise AssertionError("nobody has killed it")

    def at_disk(self, name: str) -> None:
        """A step of `SteppedDisk`."""
        if self.fails(name.partition(" folder")[0]):
            raise (
                sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)
                if name in ("commit", COMMITTED)
                else OSError(errno.EIO, "input/output error")
            )

    @property
    def disk(self) -> SteppedDisk:
        """A disk whose steps these are."""
        return SteppedDisk(self.at_disk)

    async def connect(self, address: str, port: int, within: timedelta) -> Connection:
        """Stands in for `gateway.net.connection.connect`."""
        if self.fails("connect"):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        async with asyncio.timeout(within.total_seconds()):
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: SteppedConnection(self), address, port)
        return connection


class SteppedConnection(Connection):
    """A connection each of whose sends and receives is a step; where one fails, the connection is reset."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def data_received(self, data: bytes) -> None:
        if not self._reset_at("receive"):
            super().data_received(data)

    def send(self, data: bytes) -> None:
        name = "dot" if data.endswith(b"\r\n.\r\n") else "send"
        half = len(data) - 3 if name == "dot" else len(data) // 2
        for part, step in ((data[:half], name), (data[half:], f"{name} half")):
            if not self._reset_at(step):
                super().send(part)
        if name == "dot":
            self._reset_at(DOT_SENT)

    def close(self, last: bytes = b"") -> None:
        if not self._reset_at("close"):
            super().close(last)

    def _reset_at(self, step: str) -> bool:
        fails = self._steps.fails(step)
        if fails:
            self.abort()
            self.connection_lost(ConnectionResetError(errno.ECONNRESET, "connection reset"))
        return fails
