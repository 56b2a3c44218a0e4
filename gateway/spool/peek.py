"""The beginning of a message in the spool: for people who decide, and to see at the start whether its key is here."""

import contextlib
import sqlite3
from pathlib import Path

from gateway.core.record import QueueId
from gateway.spool.body_file import BodyFile
from gateway.spool.body_keys import BodyKeys, KeyMissing
from gateway.spool.codec import Unreadable, decode_message, key_of
from gateway.spool.schema import NEVER


def peek(db: sqlite3.Connection, bodies: Path, queue_id: QueueId, limit: int, keys: BodyKeys) -> bytes | None:
    """The first bytes; None if there is no such message. Raises SpoolError, sqlite3.Error."""
    found = db.execute("SELECT record, body FROM messages WHERE queue_id = ?", (queue_id,)).fetchone()
    if found is None:
        return None
    body = decode_message(found[0], found[1], keys).body
    if body.inline is not None:
        return body.inline[:limit]
    return BodyFile(bodies / (body.path or ""), body.size, keys).beginning(limit)


def check_keys(db: sqlite3.Connection, keys: BodyKeys) -> None:
    """Looks at the oldest and the newest message, which a key that was taken away or exchanged would have sealed.

    What was set aside waits for nobody's key, and what is damaged will be: neither holds the others up.

    Raises:
        KeyMissing: its key is not here. Without this look all such mail would be set aside, one by one.
        sqlite3.Error: the database cannot be read.
    """
    for order in ("ASC", "DESC"):
        newest_or_oldest = (
            "SELECT record FROM messages m WHERE EXISTS (SELECT 1 FROM recipients r"  # noqa: S608
            f" WHERE r.queue_id = m.queue_id AND r.due_at < ?) ORDER BY queue_id {order} LIMIT 1"
        )
        for (record,) in db.execute(newest_or_oldest, (NEVER,)).fetchall():
            with contextlib.suppress(Unreadable):
                if not keys.has(key_of(record)):
                    raise KeyMissing
