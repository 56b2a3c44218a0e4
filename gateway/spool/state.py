"""What the workers of one spool share: values that expire, and named leases for work that one of them does.

It is a memory, not a promise: a value may be gone after a power cut (synchronous = NORMAL), so nothing that mail
depends on is kept here. Reading has a connection and a thread of its own: in WAL mode no writer holds it up.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from gateway.flow.ports import Clock, SpoolError
from gateway.spool.codec import micros
from gateway.spool.lane import Lane

NAME: Final = "state.db"

ITEMS: Final = "SELECT key, value FROM items WHERE key >= ? AND key < ? AND until > ? ORDER BY key LIMIT ?"
"""The values between two keys that have not expired."""

MAX_VALUE: Final = 64 * 1024
"""Bytes of one value; an MTA-STS policy has at most that (RFC 8461 section 3.2)."""

MAX_VALUES: Final = 500_000
"""Values of one part of the gateway (what stands before the first slash of its keys); beyond it its first to expire go.

The most are recipients that somebody here wrote to, a hundred bytes each.
"""

SWEEP_EVERY: Final = timedelta(hours=1)

_WRITING: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, value BLOB NOT NULL, until INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS items_until ON items (until);
CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
COMMIT;
"""
_READING: Final = "PRAGMA query_only = ON;"

_Answer = TypeVar("_Answer")


class SharedState:
    """``state.db`` of a spool, used by several processes at once.

    Every method answers, or raises SpoolError, within `lane.WITHIN`.
    """

    def __init__(self, reading: Lane, writing: Lane, clock: Clock) -> None:
        """For `open`."""
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._swept_until = clock.now()

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> "SharedState":
        """Opens or makes the store."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise SpoolError(f"the shared state cannot be used: {error}") from error
        writing = await Lane.open(path, _WRITING, clock)
        try:
            return cls(await Lane.open(path, _READING, clock), writing, clock)
        except SpoolError:
            await writing.aclose()
            raise

    async def aclose(self) -> None:
        """Closes the store; leases stay until they run out."""
        await self._reading.aclose()
        await self._writing.aclose()

    async def get(self, key: str) -> bytes | None:
        """The value, or None if there is none or it has expired."""
        now = micros(self._clock.now())
        sql = "SELECT value FROM items WHERE key = ? AND until > ?"
        found = await self._reading.ask(lambda db: db.execute(sql, (key, now)).fetchall())
        return found[0][0] if found else None

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are there, in one question."""
        now = micros(self._clock.now())
        sql = "SELECT key, value FROM items WHERE key IN (SELECT value FROM json_each(?)) AND until > ?"
        return dict(await self._reading.ask(lambda db: db.execute(sql, (json.dumps(list(keys)), now)).fetchall()))

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        """Those whose keys begin so, by key, at most ``limit``."""
        now = micros(self._clock.now())
        asked = (prefix, prefix + "\U0010ffff", now, limit)
        return dict(await self._reading.ask(lambda db: db.execute(ITEMS, asked).fetchall()))

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        """Keeps the value until then. Raises ValueError for one that is too large."""
        _check(value)
        row = (key, value, micros(until))
        await self._keep(lambda db: db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", row).rowcount)

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        """Keeps the value unless there is one that has not expired; returns the value that holds, in one step."""
        _check(value)
        sql = (
            "INSERT INTO items VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
            " value = iif(until <= ?4, excluded.value, value), until = iif(until <= ?4, excluded.until, until)"
            " RETURNING value"
        )
        row = (key, value, micros(until), micros(self._clock.now()))
        return (await self._keep(lambda db: db.execute(sql, row).fetchall()))[0][0]

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        """Keeps all of them until then, in one transaction."""
        for value in values.values():
            _check(value)
        rows = [(key, value, micros(until)) for key, value in values.items()]
        await self._keep(lambda db: _insert(db, rows))

    async def delete(self, key: str) -> None:
        """Forgets the value."""
        await self._writing.ask(lambda db: db.execute("DELETE FROM items WHERE key = ?", (key,)).rowcount)

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        """Takes or prolongs the lease; False while another holder's has not run out. One statement, so one winner."""
        now = micros(self._clock.now())
        sql = (
            "INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET holder = excluded.holder,"
            " until = excluded.until WHERE holder = excluded.holder OR until <= ?"
        )
        row = (name, holder, micros(until), now)
        return await self._writing.ask(lambda db: db.execute(sql, row).rowcount) == 1

    async def sweep(self) -> int:
        """Removes what has expired, and what a part has beyond the limit; returns how many values went."""
        now = micros(self._clock.now())
        return await self._writing.ask(lambda db: _sweep(db, now))

    async def _keep(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Whoever keeps something also has cleared away what is over, once in a while, and waits for none of it."""
        answer = await self._writing.ask(work)
        now = self._clock.now()
        if now >= self._swept_until:
            self._swept_until = now + SWEEP_EVERY
            # What cannot be cleared away now is next time.
            with contextlib.suppress(SpoolError):
                self._writing.begin(lambda db: _sweep(db, micros(now)))
        return answer


def _check(value: bytes) -> None:
    if len(value) > MAX_VALUE:
        raise ValueError("a shared value has at most 64 KiB")


def _insert(db: sqlite3.Connection, rows: list[tuple[str, bytes, int]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")
    except Exception:  # Whatever it is, nobody else could write while the transaction is open.
        db.execute("ROLLBACK")
        raise


def _sweep(db: sqlite3.Connection, now: int) -> int:
    gone = db.execute("DELETE FROM items WHERE until <= ?", (now,)).rowcount
    (left,) = db.execute("SELECT count(*) FROM items").fetchone()
    if left <= MAX_VALUES:
        return gone
    ranked = (
        "SELECT key, row_number() OVER (PARTITION BY substr(key, 1, instr(key || '/', '/')) ORDER BY until DESC)"
        " AS place FROM items"
    )
    sql = f"DELETE FROM items WHERE key IN (SELECT key FROM ({ranked}) WHERE place > ?)"  # noqa: S608  only our text
    return gone + db.execute(sql, (MAX_VALUES,)).rowcount
