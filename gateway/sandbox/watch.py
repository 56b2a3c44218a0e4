"""Follows one message through the gateway's own records, until nothing more will happen soon."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.core.record import Event, QueueId, RecipientRow
from gateway.sandbox.records import Records

LOOK: Final = timedelta(milliseconds=200)

PATIENCE: Final = timedelta(seconds=10)
"""A next attempt that is further away is told, and not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Time, as the watcher feels it."""

    now: Callable[[], datetime]
    sleep: Callable[[timedelta], None]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The last thing that a watcher sees of a message: who still waits, and until when."""

    rows: tuple[RecipientRow, ...]


def follow(records: Records, queue_id: QueueId, pace: Pace) -> Iterator[Event | Unfinished]:
    """Each event as it happens; ends with the last recipient, or with Unfinished when all that is left takes longer."""
    seen = 0
    while True:
        # The rows are read first: whatever ended them is then among the events.
        rows = records.waiting(queue_id)
        for number, event in records.events(queue_id, seen):
            seen = number
            yield event
        if not rows:
            return
        if all(row.due_at - pace.now() > PATIENCE for row in rows):
            yield Unfinished(rows)
            return
        pace.sleep(LOOK)
