"""What one unit of work writes, and how many units are written with few statements.

Each statement that SQLite runs gives the interpreter lock away and has to win it back, which under load takes longer
than the work: so the rows of all units of a group go into one statement per table.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeVar

from gateway.core.record import Entry, Event, RecipientRow
from gateway.spool.body_keys import NO_KEYS, BodyKeys
from gateway.spool.codec import (
    EventRow,
    MessageRow,
    RecipientColumns,
    encode_entry,
    encode_event,
    encode_row,
)

# Rows per statement: few enough for SQLite's limit of parameters and for the connection's cache of statements.
_CHUNK: Final = 32


@dataclass(slots=True, kw_only=True)
class Changeset:
    """Rows to write, and messages to remove if nothing of them waits any more.

    ``dropped`` are body files that nothing refers to once this is written. ``needs_room`` refuses it below the
    reserve of disk space. ``keys`` seal the bodies of new messages.
    """

    messages: list[MessageRow] = field(default_factory=list[MessageRow])
    recipients: list[RecipientColumns] = field(default_factory=list[RecipientColumns])
    events: list[EventRow] = field(default_factory=list[EventRow])
    ended: list[str] = field(default_factory=list[str])
    dropped: list[str] = field(default_factory=list[str])
    needs_room: bool = False
    keys: BodyKeys = NO_KEYS

    def add_entry(self, entry: Entry) -> None:
        """A new message; one that has nothing waiting leaves its events only."""
        message, recipients, events = encode_entry(entry, self.keys)
        if message is not None:
            self.messages.append(message)
        elif entry.message.body.path is not None:
            self.dropped.append(entry.message.body.path)
        self.recipients += recipients
        self.events += events

    def add_rows(self, queue_id: str, rows: Iterable[RecipientRow]) -> None:
        """Rows of a message that is there already."""
        changed = [encode_row(queue_id, row) for row in rows]
        self.recipients += changed
        if any(columns[5] is None for columns in changed):
            self.ended.append(queue_id)

    def add_events(self, events: Iterable[Event]) -> None:
        """Audit events."""
        self.events += [encode_event(event) for event in events]


def apply(db: sqlite3.Connection, changes: Sequence[Changeset]) -> list[str]:
    """Writes all of them inside the caller's transaction; returns the body files that are of no use after it.

    Raises:
        sqlite3.Error: nothing may be kept of any of them.
    """
    _insert(db, "messages", "", [row for change in changes for row in change.messages], "")
    recipients = [row for change in changes for row in change.recipients]
    _insert(db, "recipients", "", recipients, _REPLACE_RECIPIENT)
    waiting = [(next_hop, due_at) for _, _, _, _, next_hop, due_at, _ in recipients if due_at is not None]
    _insert(db, "temp.hops", "", waiting, _LOWER_HOP)
    _insert(db, "events", " (at, queue_id, message_id, record)", [row for c in changes for row in c.events], "")
    removed = _remove_ended(db, [queue_id for change in changes for queue_id in change.ended])
    return removed + [path for change in changes for path in change.dropped]


_REPLACE_RECIPIENT: Final = (
    " ON CONFLICT DO UPDATE SET state = excluded.state, domain = excluded.domain, next_hop = excluded.next_hop,"
    " due_at = excluded.due_at, record = excluded.record"
)
_LOWER_HOP: Final = " ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at)"


def _insert(
    db: sqlite3.Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]], conflict: str
) -> None:
    for some in _chunks(rows):
        marks = "(" + ",".join("?" * len(some[0])) + ")"
        sql = f"INSERT INTO {table}{columns} VALUES {','.join([marks] * len(some))}{conflict}"  # noqa: S608
        db.execute(sql, tuple(chain.from_iterable(some)))


def _remove_ended(db: sqlite3.Connection, ended: Sequence[str]) -> list[str]:
    """Removes those of the messages that have nothing waiting; returns their body files."""
    paths: list[str] = []
    for some in _chunks(list(dict.fromkeys(ended))):
        marks = ",".join("?" * len(some))
        gone = db.execute(
            f"DELETE FROM messages WHERE queue_id IN ({marks}) AND NOT EXISTS (SELECT 1 FROM recipients"  # noqa: S608
            " WHERE recipients.queue_id = messages.queue_id AND due_at IS NOT NULL) RETURNING queue_id, path",
            some,
        ).fetchall()
        paths += [path for _, path in gone if path is not None]
        for row in _chunks([queue_id for queue_id, _ in gone]):
            db.execute(f"DELETE FROM recipients WHERE queue_id IN ({','.join('?' * len(row))})", row)  # noqa: S608
    return paths


_Item = TypeVar("_Item")


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
