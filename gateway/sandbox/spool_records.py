"""The gateway's records as its spool on disk has them, read from outside while it runs."""

from collections.abc import Iterable
from pathlib import Path

from gateway.core.record import Event, QueueId, RecipientRow
from gateway.flow.ports import QueueFilter
from gateway.spool.reader import ShardReader


class SpoolRecords:
    """`Records` over a spool folder; a folder that is empty has no records yet."""

    def __init__(self, spool: Path) -> None:
        self._reader = ShardReader(spool)

    def events(self, queue_id: QueueId, after: int) -> Iterable[tuple[int, Event]]:
        """The message's audit events behind ``after``. Raises SpoolError."""
        return self._reader.events(queue_id, after)

    def events_of(self, message_id: str) -> Iterable[Event]:
        """The audit events of the messages with that Message-ID. Raises SpoolError."""
        return (event for _, event in self._reader.find_events(message_id))

    def waiting(self, queue_id: QueueId) -> tuple[RecipientRow, ...]:
        """The message's recipients that have no end yet. Raises SpoolError."""
        return tuple(item.row for item in self._reader.items(QueueFilter(queue_id=queue_id)))
