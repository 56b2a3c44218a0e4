"""Taking away what no longer serves: old audit events, policies without entries, files without a message."""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.spool.disk import Disk

_EVENTS: Final = 1000
"""Events removed in one transaction: a few milliseconds between which mail is committed."""


def sweep_events(db: sqlite3.Connection, before: int, last: int) -> int:
    """Removes the oldest events that are older than ``before`` (microseconds), up to number ``last``.

    Returns how many, 0 when done. Events lie in the order of their writing, so the search ends at the first that stays.
    """
    oldest = db.execute("SELECT seq, at FROM events ORDER BY seq LIMIT ?", (_EVENTS,)).fetchall()
    kept = next((index for index, (seq, at) in enumerate(oldest) if at >= before or seq > last), len(oldest))
    if kept:
        db.execute("DELETE FROM events WHERE seq <= ?", (oldest[kept - 1][0],))
    return kept


def sweep_policies(db: sqlite3.Connection, before: int) -> int:
    """Removes policies that were kept before that time and that no message names, save the one kept last."""
    return db.execute(
        "DELETE FROM policies WHERE kept_at < ? AND kept_at < (SELECT max(kept_at) FROM policies)"
        " AND NOT EXISTS (SELECT 1 FROM messages WHERE policy_hash = hash)",
        (before,),
    ).rowcount


def kept_bodies(db: sqlite3.Connection) -> set[str]:
    """The files that messages refer to."""
    return {row[0] for row in db.execute("SELECT path FROM messages WHERE path IS NOT NULL")}


def remove_orphans(db: sqlite3.Connection, bodies: Path, disk: Disk) -> int:
    """Removes files that no message refers to, when nobody writes any; returns how many."""
    kept = kept_bodies(db)
    orphans = [path for path in bodies.iterdir() if path.name not in kept]
    for path in orphans:
        disk.unlink(path)
    return len(orphans)
