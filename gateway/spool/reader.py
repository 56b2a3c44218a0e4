"""Reading a whole spool from outside, for the command line and the sandbox, while workers run or none does.

It asks in pages with short transactions, creates nothing, and never blocks a writer. What changes between two pages
is seen or not; a page by itself is consistent.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from gateway.core.address import Address
from gateway.core.record import Event, QueueId
from gateway.flow.ports import QueueFilter, QueueItem, QueueSize, SpoolError
from gateway.spool import queries
from gateway.spool.body_keys import NO_KEYS, BodyKeys
from gateway.spool.ids import shard_of
from gateway.spool.peek import peek
from gateway.spool.schema import open_for_reading

_PAGE: Final = 200
_MESSAGES: Final = 100
_ELSEWHERE: Final = 10_000

Answer = TypeVar("Answer")


class ShardReader:
    """All shards of one spool folder; a folder that does not exist yet is an empty spool. All methods block.

    Without the keys of sealed bodies items name no attached files, and `beginning` raises.
    """

    def __init__(self, spool_dir: Path, keys: BodyKeys = NO_KEYS) -> None:
        self._spool_dir = spool_dir
        self._keys = keys

    def items(self, filter: QueueFilter, limit: int | None = None) -> Iterator[QueueItem]:
        """Rows by shard, queue id and number, at most ``limit``. Raises SpoolError."""
        left = limit
        for path in self._databases(filter.queue_id):
            for item in _items(path, filter, left, self._keys):
                yield item
                left = None if left is None else left - 1
            if left == 0:
                return

    def events(self, queue_id: QueueId | None = None, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Audit events of a message, or of each shard in turn, with sequence numbers, which are the shard's own.

        Only those numbered above ``after``, as they are now: ask again to see more. Raises SpoolError.
        """
        for path in self._databases(queue_id):
            last = after
            while page := _ask(path, lambda db, last=last: queries.events(db, queue_id, last, _PAGE)):
                yield from page
                last = page[-1][0]

    def story(self, queue_id: QueueId) -> tuple[Event, ...]:
        """All that the audit says of a message by time; receipts are noted in the shard that they come in by.

        Raises SpoolError.
        """
        found = [event for _, event in self.events(queue_id)]
        own = self._databases(queue_id)
        for path in self._databases(None) if shard_of(queue_id) is not None else ():
            if path not in own:
                found += [event for _, event in _ask(path, lambda db: queries.events(db, queue_id, 0, _ELSEWHERE))]
        return tuple(sorted(found, key=lambda event: event.at))

    def find_events(self, message_id: str) -> Iterator[tuple[int, Event]]:
        """Events of all messages that came with that Message-ID (100 per shard at most). Raises SpoolError."""
        for path in self._databases(None):
            for queue_id in _ask(path, lambda db: queries.queue_ids_of(db, message_id, _MESSAGES)):
                yield from self.events(queue_id)

    def about(self, address: Address, since: datetime, most: int) -> tuple[QueueId, ...]:
        """Messages from or to the address that something happened to since then, the newest first.

        Raises SpoolError.
        """
        found = [
            one
            for path in self._databases(None)
            for one in _ask(path, lambda db: queries.queue_ids_about(db, address, since, most))
        ]
        return tuple(queue_id for _, queue_id in sorted(found, reverse=True)[:most])

    def beginning(self, queue_id: QueueId, limit: int) -> bytes:
        """The first bytes of a message that still waits. Raises SpoolError, also if there is no such message."""
        for path in self._databases(queue_id):
            found = _ask(path, lambda db, path=path: peek(db, path.parent / "bodies", queue_id, limit, self._keys))
            if found is not None:
                return found
        raise SpoolError(f"there is no message {queue_id}")

    def sizes(self) -> QueueSize:
        """Counts over all shards. Raises SpoolError."""
        return queries.add_sizes([_ask(path, queries.size) for path in self._databases(None)])

    def _databases(self, queue_id: QueueId | None) -> list[Path]:
        """Those that may hold it, in order."""
        found = sorted(self._spool_dir.glob("shard-[0-9][0-9][0-9]/spool.db"))
        if queue_id is None:
            return found
        shard = shard_of(queue_id)
        return [path for path in found if shard is not None and path.parent.name == f"shard-{shard:03d}"]


def _items(path: Path, filter: QueueFilter, limit: int | None, keys: BodyKeys) -> Iterator[QueueItem]:
    after: tuple[QueueId, int] | None = None
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = _ask(path, lambda db, after=after, size=size: queries.items(db, filter, after, size, keys))
        yield from page
        if len(page) < size:
            return
        after = page[-1].message.queue_id, page[-1].row.number
        left = None if left is None else left - size


def _ask(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Asks on a connection of its own. Raises SpoolError.

    Tried twice: a worker that starts between the look for its log and the question makes the file change under us.
    """
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


def shard_waits(folder: Path) -> bool:
    """Whether anything waits in that shard; True if it cannot be told."""
    path = folder / "spool.db"
    try:
        return path.exists() and any(_ask(path, queries.size).waiting.values())
    except SpoolError:
        return True
