"""Follows one message through the gateway's own records, until nothing more will happen soon."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.core.record import Event, QueueId, RecipientRow, State
from gateway.sandbox.records import Records

LOOK: Final = timedelta(milliseconds=200)

PATIENCE: Final = timedelta(seconds=10)
"""A next attempt that is further away is told, and not waited for; nor is a notification that takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Time, as the watcher feels it; ``running`` tells whether there still is a gateway whose time it is."""

    now: Callable[[], datetime]
    sleep: Callable[[timedelta], None]
    running: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The last thing that a watcher sees of a message: who still waits, until when, and whether nobody is at work."""

    rows: tuple[RecipientRow, ...]
    stopped: bool = False


def follow(records: Records, queue_id: QueueId, pace: Pace) -> Iterator[Event | Unfinished]:
    """Each event as it happens; ends with the last recipient, or with Unfinished when what is left takes longer."""
    seen, notified_by = 0, datetime.max.replace(tzinfo=UTC)
    while True:
        # In this order: what the gateway did before it stopped, and whatever ended a row, is among the events.
        running = pace.running()
        rows = records.waiting(queue_id)
        for number, event in records.events(queue_id, seen):
            seen = number
            yield event
        if not rows:
            return
        now = pace.now()
        if any(row.state is State.PENDING for row in rows):
            notified_by = min(notified_by, now + PATIENCE)
        if all(now >= notified_by if row.state is State.PENDING else row.due_at - now > PATIENCE for row in rows):
            yield Unfinished(rows)
            return
        if not running:
            yield Unfinished(rows, stopped=True)
            return
        pace.sleep(LOOK)
