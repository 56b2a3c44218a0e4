"""What the sandbox reads of the gateway's spool: the audit of one message, and who of its recipients still waits."""

from collections.abc import Iterable
from typing import Protocol

from gateway.core.record import Event, QueueId, RecipientRow


class Records(Protocol):
    """Its methods may block, and raise SpoolError if the spool cannot be read."""

    def events(self, queue_id: QueueId, after: int) -> Iterable[tuple[int, Event]]:
        """The message's audit events behind the sequence number ``after``, in order, each with its number."""
        ...

    def events_of(self, message_id: str) -> Iterable[Event]:
        """The audit events of all messages with that Message-ID."""
        ...

    def waiting(self, queue_id: QueueId) -> tuple[RecipientRow, ...]:
        """The message's recipients that have no end yet."""
        ...
