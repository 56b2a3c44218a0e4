"""The audit events of one shard in their order, for whoever takes them out of the spool; read from outside, in pages.

An event that cannot be read is given without its content, so that it holds up none behind it.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gateway.core.record import Event
from gateway.flow.ports import SpoolError
from gateway.spool.codec import Unreadable, decode_event, moment
from gateway.spool.schema import open_for_reading

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Kept:
    """One event as the spool keeps it; ``event`` is None for one that is damaged."""

    seq: int
    at: datetime
    queue_id: str
    event: Event | None


def shards_of(spool_dir: Path) -> tuple[tuple[int, Path], ...]:
    """The numbers and databases of all shards there are."""
    found = sorted(spool_dir.glob("shard-[0-9][0-9][0-9]/spool.db"))
    return tuple((int(path.parent.name[6:]), path) for path in found)


def events_after(path: Path, after: int, limit: int) -> tuple[Kept, ...]:
    """The next events behind that number. Raises SpoolError."""
    sql = "SELECT seq, at, queue_id, record FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = _ask(path, lambda db: db.execute(sql, (after, limit)).fetchall())
    return tuple(Kept(seq, moment(at), queue_id, _event(record)) for seq, at, queue_id, record in rows)


def last_seq(path: Path) -> int:
    """The number of the last event that was ever written, also when it is gone; 0 if none was. Raises SpoolError."""
    sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
    found = _ask(path, lambda db: db.execute(sql).fetchone())
    return int(found[0]) if found else 0


def _event(record: str) -> Event | None:
    try:
        return decode_event(record)
    except Unreadable:
        return None


def _ask(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Tried twice: a worker that starts meanwhile makes the file change under us."""
    for attempt in (1, 2):
        db = open_for_reading(path)
        try:
            return question(db)
        except sqlite3.Error as error:
            if attempt == 2:
                raise SpoolError(f"cannot read {path}: {error}") from error
        finally:
            db.close()
    raise AssertionError("unreachable")
