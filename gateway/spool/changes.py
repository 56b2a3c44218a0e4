"""What an operator does to waiting rows: delete them, or have them tried now. Each is audited with the person's name.

Releasing held mail is not here: it enters a route, which is the flow's business.
"""

from dataclasses import replace
from datetime import datetime

from gateway.core.record import Event, EventKind, State
from gateway.flow.ports import OperatorChange, QueueItem, RowChange


def delete(name: str, reason: str, at: datetime) -> OperatorChange:
    """Ends waiting rows as deleted, by whom and why (promise 3)."""

    def change(item: QueueItem) -> RowChange | None:
        if not item.row.state.waits:
            return None
        told = _told(item, at, f"deleted by {name}: {reason}")
        ended = replace(told, kind=EventKind.ENDED, state=State.DELETED)
        return RowChange(row=replace(item.row, state=State.DELETED), events=(told, ended))

    return change


def retry(name: str, at: datetime) -> OperatorChange:
    """Makes waiting rows due at once. Held ones are left: their time is not a next attempt but their end."""

    def change(item: QueueItem) -> RowChange | None:
        if item.row.state not in (State.QUEUED, State.OPEN):
            return None
        return RowChange(row=replace(item.row, due_at=at), events=(_told(item, at, f"retried now by {name}"),))

    return change


def _told(item: QueueItem, at: datetime, text: str) -> Event:
    message = item.message
    return Event(
        kind=EventKind.OPERATOR,
        at=at,
        queue_id=message.queue_id,
        recipient=item.row.number,
        address=str(item.row.address),
        reverse_path=message.envelope.reverse_path,
        policy_hash=message.policy_hash,
        text=text,
    )
