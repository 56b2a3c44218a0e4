"""Sealed recipients and their notifications: what came of one is the other's end, and closes what goes back.

Left out on purpose: what that end is (`flow.settling`), and the notifications themselves (`flow.sealed_letters`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.core.outcome import Failed, Outcome, Sealed
from gateway.core.record import Kind, Message, Origin, State
from gateway.core.reply import Status
from gateway.core.sealed import PackageId
from gateway.flow.ports import OperatorChange, QueueItem, RowChange, Spool, SpoolFull
from gateway.flow.settling import Change
from gateway.flow.shared import Shared

ROOM_EVERY: Final = timedelta(seconds=2)
"""How often what has to be recorded on a full disk is tried again; a lease keeps its place, so little else is begun."""
REVOKED_BY: Final = "the notification failed"
_UNSENT: Final = Failed(status=Status(5, 0, 0), detail="The notification could not be sent.")


class Pending:
    """For one settlement of one message, before it."""

    def __init__(self, spool: Spool, shared: Shared, message: Message) -> None:
        self._spool = spool
        self._shared = shared
        self._message = message

    async def answer(self, changes: Sequence[Change]) -> None:
        """Tells the recipient that a notification is about what came of it, before the notification is gone.

        Done again after a crash it changes nothing, because the recipient no longer waits for it. Raises SpoolError
        but never SpoolFull, which is waited out.
        """
        origin = self._message.origin
        if self._message.kind is not Kind.NOTIFICATION or origin is None:
            return
        for change in changes:
            if not change.after.state.waits:
                await self._write(origin, _notified(change.outcome or _UNSENT, self._shared.clock.now()))

    async def revoke(self, changes: Sequence[Change]) -> None:
        """Closes what goes back to its sender, for whoever may have the link all the same. It raises nothing."""
        for change in changes:
            sealed = change.before.last
            returned = change.before.state is State.PENDING and change.after.state is not State.SEALED
            if returned and isinstance(sealed, Sealed):
                await self._close(PackageId(sealed.sealing.package), change.before.number)

    async def _write(self, origin: Origin, answer: OperatorChange) -> None:
        clock = self._shared.clock
        while True:
            try:
                await self._spool.operate(origin.queue_id, frozenset({origin.recipient}), answer)
                return
            except SpoolFull:
                await clock.sleep_until(clock.now() + ROOM_EVERY)

    async def _close(self, package: PackageId, number: int) -> None:
        try:
            if self._shared.sealed is not None:
                await self._shared.sealed.revoke(package, number, self._shared.clock.now(), REVOKED_BY)
        except Exception as error:
            self._shared.events.broken("revoke", self._message.queue_id, error)


def _notified(outcome: Outcome, now: datetime) -> OperatorChange:
    """A pending recipient hears what came of its notification, and is due at once."""

    def change(item: QueueItem) -> RowChange | None:
        if item.row.state is not State.PENDING or item.row.notified is not None:
            return None
        return RowChange(row=replace(item.row, notified=outcome, due_at=now), events=())

    return change
