"""Receipts asked for and waited for (mission R6), in the shared state: who was asked, what came, and what is due.

Where the policy has a domain for receipts, each recipient's copy asks for one to an address of its own; without it, or
where the state fails, to the sender, and then nothing is waited for. What the state forgets costs a receipt or a
reminder, and no other mail. Left out on purpose: receipts as they come, which are `flow.receiving`'s.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from gateway.core.address import parse_address
from gateway.core.edits import Add, HeaderEdit, Remove
from gateway.core.mailboxes import read_mailboxes
from gateway.core.outcome import Delivered
from gateway.core.receipt import FIELD, Ticket
from gateway.core.record import Message, RecipientRow
from gateway.core.report import Purpose, answers, reader_of, wished
from gateway.flow.settling import Attempt
from gateway.flow.shared import Shared

ASKED: Final = "receipt/asked/"
CONFIRMED: Final = "receipt/confirmed/"
DUE: Final = "receipt/due/"
VALID_FOR: Final = timedelta(days=60)
"""How long a receipt is taken, counted from the last attempt and the time to the reminder, which is no longer."""
_DUE_AT: Final = "%Y%m%dT%H%M%S"

_OWN_REQUEST: Final = re.compile(
    rb"^Disposition-Notification-To[ \t]*:([^\n]*\n(?:[ \t][^\n]*\n)*)", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One recipient who was asked; ``delivered_at`` is None until the message was handed on.

    At ``due_at`` its sender is to hear of it if no receipt has come; None if never.
    """

    sender: str
    recipient: str
    accepted_at: AwareDatetime
    delivered_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None


_ASKED: Final = TypeAdapter(Asked)


def name_of(ticket: Ticket) -> str:
    """The end of every key about that recipient."""
    return f"{ticket.queue_id}/{ticket.number}"


def due_key(due_at: datetime, queue_id: str) -> str:
    """The keys of what is due sort by time, in whole seconds."""
    return f"{DUE}{due_at:{_DUE_AT}}/{queue_id}"


def read_asked(value: bytes | None) -> Asked | None:
    """Who was asked, or None for nothing, for what is damaged, and for what a newer gateway may have written."""
    if value is None:
        return None
    try:
        asked = _ASKED.validate_json(value)
        for address in (asked.sender, asked.recipient):
            parse_address(address)
    except ValueError:
        return None
    return asked


class Receipts:
    """For one round of attempts at one message."""

    def __init__(self, shared: Shared, message: Message) -> None:
        self._shared = shared
        self._message = message
        self._waited_for: dict[int, Asked] = {}

    async def requests(self, rows: Sequence[RecipientRow], header: bytes) -> Mapping[int, tuple[HeaderEdit, ...]]:
        """The field that asks (RFC 8098 section 2.1), by the number of each row that wants one.

        A sender who asks for one to himself gets it by way of us; a request to anybody else stays as it is.
        """
        wanting = [row for row in rows if row.decision.effects.receipt]
        if not wanting or not answers(self._message):
            return {}
        own, reader = _OWN_REQUEST.findall(header), str(reader_of(self._message))
        if own and [name.casefold() for name in read_mailboxes(_unfolded(own))] != [reader.casefold()]:
            return {}
        if self._shared.book.current.receipts and await self._wait_for(wanting, reader):
            return {row.number: (Remove(FIELD), Add(FIELD, f"<{self._address(row)}>")) for row in wanting}
        return {} if own else {row.number: (Add(FIELD, f"<{reader}>"),) for row in wanting}

    def _address(self, row: RecipientRow) -> str:
        shared = self._shared
        return str(self._ticket(row).address(shared.book.current.receipts, shared.system.hop_key))

    def _ticket(self, row: RecipientRow) -> Ticket:
        return Ticket(self._message.queue_id, row.number)

    async def _wait_for(self, rows: Sequence[RecipientRow], reader: str) -> bool:
        """Before any of them can answer: from then on their receipts are known."""
        accepted_at = self._message.accepted_at
        asked = {row.number: Asked(sender=reader, recipient=str(row.address), accepted_at=accepted_at) for row in rows}
        kept = await self._keep({self._key(row): _ASKED.dump_json(asked[row.number]) for row in rows}, rows)
        self._waited_for = asked if kept else {}
        return kept

    async def delivered(self, attempts: Iterable[Attempt]) -> None:
        """Begins to wait for those that were handed on just now. It raises nothing."""
        now = self._shared.clock.now()
        rows = [
            attempt.row
            for attempt in attempts
            if isinstance(attempt.outcome, Delivered) and attempt.row.number in self._waited_for
        ]
        if not rows:
            return
        values: dict[str, bytes] = {}
        for row in rows:
            after = _remind_after(row)
            due_at = None if after is None else (now + after).replace(microsecond=0)
            waiting = replace(self._waited_for[row.number], delivered_at=now, due_at=due_at)
            values[self._key(row)] = _ASKED.dump_json(waiting)
            if due_at is not None:
                values[due_key(due_at, self._message.queue_id)] = b""
        await self._keep(values, rows)

    def _key(self, row: RecipientRow) -> str:
        return ASKED + name_of(self._ticket(row))

    async def _keep(self, values: Mapping[str, bytes], rows: Sequence[RecipientRow]) -> bool:
        try:
            longest = max(_remind_after(row) or timedelta(0) for row in rows)
            await self._shared.state.put_many(values, self._shared.clock.now() + longest + VALID_FOR)
        except Exception as error:
            self._shared.events.broken("receipts", self._message.queue_id, error)
            return False
        return True


def _remind_after(row: RecipientRow) -> timedelta | None:
    """When its sender is to be reminded; None also for one who wants to hear nothing of it (NOTIFY=NEVER)."""
    return row.decision.effects.remind_after if wished(row.recipient, Purpose.WARNED) else None


def _unfolded(values: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(b" ".join(value.split()) for value in values)
