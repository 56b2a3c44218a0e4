"""Records for the spool's tests, and a clock that stands where it is put."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.core.address import Address
from gateway.core.decision import Routed
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.record import BodyRef, Entry, Event, EventKind, Kind, Message, QueueId, RecipientRow, State
from gateway.core.tls import Protection
from gateway.flow.ports import Lease, Settlement, Spool

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class StandingClock:
    """`flow.ports.Clock` without movement."""

    time: datetime = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep_until(self, when: datetime) -> None:
        self.time = max(self.time, when)


def routed(chain: tuple[str, ...] = ("tls", "encrypted")) -> Routed:
    return Routed(
        rule="Controlled",
        chain=chain,
        floor=Protection.ENCRYPTED,
        original_floor=Protection.ENCRYPTED,
        reason="controlled",
        advice="Ask the Service Desk.",
    )


def row(
    number: int = 0,
    *,
    domain: str = "one.example",
    due_at: datetime = START,
    state: State = State.QUEUED,
    next_hop: str | None = None,
) -> RecipientRow:
    return RecipientRow(
        number=number,
        recipient=Recipient(address=Address(f"r{number}", domain)),
        decision=routed(),
        state=state,
        next_hop=f"tls:{domain}" if next_hop is None else next_hop,
        entered_at=START,
        deadline=START + 48 * HOUR,
        expires_at=START + 120 * HOUR,
        due_at=due_at,
    )


def inline(data: bytes = b"Subject: a\r\n\r\nbody\r\n") -> BodyRef:
    return BodyRef(size=len(data), sha256=hashlib.sha256(data).hexdigest(), inline=data)


def message(queue_id: QueueId, rows: tuple[RecipientRow, ...], body: BodyRef | None = None) -> Message:
    client = Client(identity="10.0.0.9", how=Admission.NETWORK, address="10.0.0.9", helo="mta.example", tls=None)
    return Message(
        queue_id=queue_id,
        kind=Kind.RELAY,
        origin=None,
        envelope=Envelope(
            client=client,
            listener="smtp",
            reverse_path=Address("officer", "council.example"),
            recipients=tuple(one.recipient for one in rows),
        ),
        facts=None,
        policy_hash="p1",
        accepted_at=START,
        header_bytes=14,
        eight_bit=False,
        edits=(),
        body=body or inline(),
    )


def event(
    queue_id: QueueId, text: str = "accepted", *, at: datetime = START, kind: EventKind = EventKind.ACCEPTED
) -> Event:
    return Event(kind=kind, at=at, queue_id=queue_id, message_id=f"<{queue_id}@council.example>", text=text)


def entry(queue_id: QueueId, *rows: RecipientRow, body: BodyRef | None = None) -> Entry:
    rows = rows or (row(),)
    return Entry(message=message(queue_id, rows, body), rows=rows, events=(event(queue_id),))


async def commit(spool: Spool, *rows: RecipientRow, body: BodyRef | None = None) -> QueueId:
    """Commits one new message and returns its id."""
    queue_id = spool.new_queue_id()
    await spool.commit([entry(queue_id, *rows, body=body)])
    return queue_id


def with_state(lease: Lease, state: State, *, due_at: datetime | None = None) -> tuple[RecipientRow, ...]:
    """The lease's rows as an attempt leaves them."""
    return tuple(
        replace(one, state=state, due_at=due_at or one.due_at, attempts=one.attempts + 1) for one in lease.rows
    )


def settlement(lease: Lease, state: State = State.DELIVERED, *, due_at: datetime | None = None) -> Settlement:
    told = event(lease.message.queue_id, state.value, kind=EventKind.ENDED if not state.waits else EventKind.ATTEMPT)
    return Settlement(rows=with_state(lease, state, due_at=due_at), events=(told,))


async def body_of(spool: Spool, ref: BodyRef, offset: int = 0) -> bytes:
    return b"".join([block async for block in spool.bodies.open(ref, offset)])


async def written(spool: Spool, data: bytes) -> BodyRef:
    """A finished body."""
    writer = spool.bodies.writer()
    for start in range(0, len(data), 100_000):
        writer.write(data[start : start + 100_000])
    return await writer.finish()
