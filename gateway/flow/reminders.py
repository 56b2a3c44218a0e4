"""Reminders (mission R6): one process of the machine tells senders, once a message, who sent no receipt in time.

Due when the time of one of them is up, and about all who were reached by then. Told before it is noted as told: a crash
between the two reminds twice, and never not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.core.address import parse_address
from gateway.core.receipt import Ticket
from gateway.core.record import Entry, Event, EventKind, Kind, Origin, QueueId
from gateway.core.reminder import Outstanding, Reminder, build_reminder
from gateway.flow.leased import Leased
from gateway.flow.ports import Spool
from gateway.flow.post import Letter, Post
from gateway.flow.receipts import ASKED, CONFIRMED, DUE, VALID_FOR, Asked, due_key, name_of, read_asked
from gateway.flow.shared import Shared

MOST_DUE: Final = 200
"""What is looked at in one round; the rest waits for the next."""
MOST_RECIPIENTS: Final = 1000
_LONGEST_NUMBER: Final = 9
_NAME: Final = "reminders"
_REMINDED: Final = "receipt/reminded/"


class Reminders:
    """A chore of one worker, which sends by its own spool. ``on_commit`` hears of each commit."""

    def __init__(self, spool: Spool, shared: Shared, on_commit: Callable[[Sequence[Entry]], None]) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit
        self._lease = Leased(_NAME, shared.state, shared.clock, shared.ids)

    async def send(self) -> None:
        """One round. What cannot be sent is heard of, and tried again in the next. Raises SpoolError."""
        shared = self._shared
        # Without a domain for them no receipt can come, so none is missing.
        if not shared.book.current.receipts or not await self._lease.mine():
            return
        for queue_id, keys in (await self._due()).items():
            try:
                await self._remind(queue_id)
            except Exception as error:
                shared.events.broken("reminder", queue_id, error)
                continue
            for key in keys:
                await shared.state.delete(key)

    async def _due(self) -> Mapping[QueueId, list[str]]:
        """The keys of what is due, by message; they sort by time."""
        until, due = due_key(self._shared.clock.now(), "\U0010ffff"), dict[QueueId, list[str]]()
        for key in await self._shared.state.items(DUE, MOST_DUE):
            if key <= until:
                due.setdefault(QueueId(key.rpartition("/")[2]), []).append(key)
        return due

    async def _remind(self, queue_id: QueueId) -> None:
        state = self._shared.state
        if await state.get(_REMINDED + queue_id) is not None:
            return
        missing = await self._missing(queue_id)
        if not missing:
            return
        await self._tell(_reminder(queue_id, missing))
        await state.put(_REMINDED + queue_id, b"", self._shared.clock.now() + VALID_FOR)

    async def _missing(self, queue_id: QueueId) -> list[Asked]:
        """Who was reached and has not confirmed it, in the order of the envelope; nobody if no one's time is up."""
        state = self._shared.state
        confirmed = await state.items(f"{CONFIRMED}{queue_id}/", MOST_RECIPIENTS)
        found = await state.items(f"{ASKED}{queue_id}/", MOST_RECIPIENTS)
        waiting: dict[int, Asked] = {}
        for key, value in found.items():
            asked, number = read_asked(value), _number(key)
            if asked is None or asked.due_at is None or number is None:
                continue
            if CONFIRMED + name_of(Ticket(queue_id, number)) not in confirmed:
                waiting[number] = asked
        now = self._shared.clock.now()
        due = any(one.due_at is not None and one.due_at <= now for one in waiting.values())
        return [waiting[number] for number in sorted(waiting)] if due else []

    async def _tell(self, reminder: Reminder) -> None:
        post = Post(self._spool, self._shared)
        stamp, about = post.stamp(), reminder.queue_id
        entry = await post.letter(
            Letter(
                kind=Kind.NOTICE,
                to=parse_address(reminder.sender),
                text=build_reminder(reminder, self._shared.identity, stamp),
                stamp=stamp,
                reason=f"a reminder of missing receipts about {about}",
                origin=Origin(about, -1, Kind.NOTICE),
            )
        )
        noted = _noted(reminder, stamp.now, entry)
        await self._spool.commit((Entry(message=entry.message, rows=entry.rows, events=(*entry.events, noted)),))
        self._on_commit((entry,))
        self._shared.events.accepted(entry.message, entry.rows)


def _number(key: str) -> int | None:
    """The recipient's number at the end of its key; None for a key that is not one of ours."""
    number = key.rpartition("/")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER else None


def _reminder(queue_id: QueueId, missing: Sequence[Asked]) -> Reminder:
    outstanding = [Outstanding(one.recipient, one.delivered_at) for one in missing if one.delivered_at is not None]
    first = missing[0]
    return Reminder(
        queue_id=queue_id, sender=first.sender, accepted_at=first.accepted_at, outstanding=tuple(outstanding)
    )


def _noted(reminder: Reminder, now: datetime, entry: Entry) -> Event:
    """What the audit of the message says of it."""
    count = len(reminder.outstanding)
    who = "1 recipient" if count == 1 else f"{count} recipients"
    return Event(
        kind=EventKind.RECEIPT,
        at=now,
        queue_id=reminder.queue_id,
        text=f"none yet from {who}; the sender was reminded by {entry.message.queue_id}",
    )
