"""The beginning of a message in the spool: for people who decide, and to see at the start whether its key is here."""

import sqlite3
from pathlib import Path

from gateway.core.record import QueueId
from gateway.flow.ports import SpoolError
from gateway.spool.body_file import BodyFile
from gateway.spool.body_keys import BodyKeys, KeyMissing
from gateway.spool.codec import decode_message


def peek(db: sqlite3.Connection, bodies: Path, queue_id: QueueId, limit: int, keys: BodyKeys) -> bytes | None:
    """The first bytes; None if there is no such message. Raises SpoolError, sqlite3.Error."""
    found = db.execute("SELECT record, body FROM messages WHERE queue_id = ?", (queue_id,)).fetchone()
    if found is None:
        return None
    body = decode_message(found[0], found[1], keys).body
    if body.inline is not None:
        return body.inline[:limit]
    return BodyFile(bodies / (body.path or ""), body.size, keys).beginning(limit)


def check_keys(db: sqlite3.Connection, bodies: Path, keys: BodyKeys) -> None:
    """Looks at the oldest and the newest message, which a key that was taken away or exchanged would have sealed.

    Raises:
        KeyMissing: it cannot be opened. Without this look all such mail would be set aside, one by one.
        sqlite3.Error: the database cannot be read.
    """
    for order in ("ASC", "DESC"):
        newest_or_oldest = f"SELECT queue_id FROM messages ORDER BY queue_id {order} LIMIT 1"  # noqa: S608
        for (queue_id,) in db.execute(newest_or_oldest).fetchall():
            try:
                peek(db, bodies, queue_id, 1, keys)
            except KeyMissing:
                raise
            except SpoolError:
                continue  # A damaged one is set aside when it is due.
