"""A spool in memory: the whole port without a disk, for tests. Nothing survives the process.

It keeps the contract of `gateway.flow.ports.Spool` (tests/contract/test_spool.py) and is as slow as it is simple:
every claim looks at every row.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from gateway.core.record import BodyRef, Entry, Event, Message, QueueId, RecipientRow, State
from gateway.flow.ports import (
    Clock,
    Lease,
    OperatorChange,
    QueueFilter,
    QueueItem,
    QueueSize,
    Settlement,
    SpoolError,
)
from gateway.spool.ids import QueueIds
from gateway.spool.leases import Leases
from gateway.spool.options import SpoolOptions

BLOCK = 256 * 1024


class MemoryBodies:
    """Bodies in a dictionary; large ones have a path as if they were files."""

    def __init__(self, inline: int) -> None:
        self.files: dict[str, bytes] = {}
        self.numbers = count()
        self.inline = inline
        self.refuse: SpoolError | None = None

    def writer(self) -> "MemoryBodyWriter":
        """See `flow.ports.Bodies`."""
        if self.refuse is not None:
            raise self.refuse
        return MemoryBodyWriter(self)

    async def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        """See `flow.ports.Bodies`."""
        data = self.files.get(ref.path) if ref.path is not None else ref.inline
        if data is None or len(data) != ref.size or hashlib.sha256(data).hexdigest() != ref.sha256:
            raise SpoolError("the body is damaged")
        for start in range(offset, len(data), BLOCK):
            yield data[start : start + BLOCK]


class MemoryBodyWriter:
    """Collects one body."""

    def __init__(self, bodies: MemoryBodies) -> None:
        self._bodies = bodies
        self._data = bytearray()
        self._path: str | None = None

    def write(self, block: bytes) -> None:
        """See `flow.ports.BodyWriter`."""
        if self._bodies.refuse is not None:
            raise self._bodies.refuse
        self._data += block

    async def finish(self) -> BodyRef:
        """See `flow.ports.BodyWriter`."""
        data = bytes(self._data)
        digest = hashlib.sha256(data).hexdigest()
        if len(data) <= self._bodies.inline:
            return BodyRef(size=len(data), sha256=digest, inline=data)
        self._path = f"{next(self._bodies.numbers)}-{digest}"
        self._bodies.files[self._path] = data
        return BodyRef(size=len(data), sha256=digest, path=self._path)

    def discard(self) -> None:
        """See `flow.ports.BodyWriter`."""
        self._data.clear()


@dataclass(slots=True)
class _Kept:
    """One message and where its rows stand."""

    message: Message
    rows: dict[int, RecipientRow]


class MemorySpool:
    """See the module. While ``refuse`` is set, every change of the spool raises it and changes nothing."""

    def __init__(self, shard: int = 0, *, clock: Clock, options: SpoolOptions | None = None) -> None:
        options = options or SpoolOptions()
        self.bodies = MemoryBodies(options.inline)
        self.refuse: SpoolError | None = None
        self._clock = clock
        self._lease = options.lease
        self._ids = QueueIds(shard, clock)
        self._kept: dict[QueueId, _Kept] = {}
        self._new: set[QueueId] = set()
        self._events: list[tuple[int, Event]] = []
        self._sequence = 0
        self._policies: dict[str, tuple[datetime, bytes]] = {}
        self._leases = Leases(clock)

    @property
    def healthy(self) -> bool:
        """Whether mail can be taken."""
        return self.refuse is None

    def new_queue_id(self) -> QueueId:
        """See `flow.ports.Spool`."""
        return self._ids.new()

    async def commit(self, entries: Sequence[Entry]) -> None:
        """See `flow.ports.Spool`."""
        self._refuse_if_told()
        self._check_new(entries)
        for entry in entries:
            self._keep(entry)
            self._new.add(entry.message.queue_id)

    async def claim(self, now: datetime, limit: int, not_to: frozenset[str]) -> tuple[Lease, ...]:
        """See `flow.ports.Spool`."""
        leases: list[Lease] = []
        for queue_id, row in sorted(self._due(now, not_to), key=lambda due: (due[1].due_at, due[0], due[1].number)):
            if len(leases) == limit:
                break
            if (queue_id, row.next_hop) not in self._leases.taken(now):
                kept = self._kept[queue_id]
                rows = [r for r in kept.rows.values() if _is_due(r, now) and r.next_hop == row.next_hop]
                leases.append(self._leases.grant(kept.message, rows, row.next_hop, now + self._lease))
        return tuple(leases)

    def lease(self, entry: Entry, next_hop: str) -> Lease | None:
        """See `flow.ports.Spool`."""
        queue_id, now = entry.message.queue_id, self._clock.now()
        if queue_id not in self._new or self._leases.is_taken((queue_id, next_hop), now):
            return None
        return self._leases.grant(entry.message, entry.to(next_hop), next_hop, now + self._lease)

    async def renew(self, lease: Lease, until: datetime) -> Lease:
        """See `flow.ports.Spool`."""
        return self._leases.renew(lease, until)

    async def release(self, lease: Lease) -> None:
        """See `flow.ports.Spool`."""
        self._leases.end(lease)

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """See `flow.ports.Spool`."""
        self._leases.settling(lease, settlement.rows)
        try:
            self._refuse_if_told()
            self._check_new(settlement.entries)
        except SpoolError:
            self._leases.unsettled(lease)
            raise
        self._leases.end(lease)
        self._new.discard(lease.message.queue_id)
        self._kept[lease.message.queue_id].rows.update({row.number: row for row in settlement.rows})
        self._write(settlement.events)
        for entry in settlement.entries:
            self._keep(entry)
        self._remove_if_ended(lease.message.queue_id)

    async def next_due(self, not_to: frozenset[str] = frozenset()) -> datetime | None:
        """See `flow.ports.Spool`."""
        taken = self._leases.taken(self._clock.now())
        return min(
            (
                row.due_at
                for queue_id, row in self._rows()
                if row.state.waits and row.next_hop not in not_to and (queue_id, row.next_hop) not in taken
            ),
            default=None,
        )

    async def query(self, filter: QueueFilter, after: tuple[QueueId, int] | None, limit: int) -> tuple[QueueItem, ...]:
        """See `flow.ports.Spool`."""
        places = sorted((queue_id, row.number) for queue_id, row in self._rows() if _selects(filter, queue_id, row))
        page = [place for place in places if after is None or place > after][:limit]
        return tuple(self._item(queue_id, number) for queue_id, number in page)

    async def size(self) -> QueueSize:
        """See `flow.ports.Spool`."""
        states = [row.state for _, row in self._rows() if row.state.waits]
        return QueueSize(
            waiting={state: states.count(state) for state in State if state.waits},
            oldest=min((kept.message.accepted_at for kept in self._kept.values()), default=None),
        )

    async def operate(self, queue_id: QueueId, numbers: frozenset[int] | None, change: OperatorChange) -> int:
        """See `flow.ports.Spool`."""
        self._refuse_if_told()
        now = self._clock.now()
        self._new.discard(queue_id)
        self._leases.drop_expired(queue_id, now)
        taken = self._leases.taken(now)
        kept = self._kept.get(queue_id)
        changes = [
            change(self._item(queue_id, row.number))
            for row in (kept.rows.values() if kept else ())
            if row.state.waits and (numbers is None or row.number in numbers) and (queue_id, row.next_hop) not in taken
        ]
        done = [changed for changed in changes if changed is not None]
        for changed in done:
            self._kept[queue_id].rows[changed.row.number] = changed.row
            self._write(changed.events)
        self._remove_if_ended(queue_id)
        return len(done)

    async def keep_policy(self, policy_hash: str, text: bytes) -> None:
        """See `flow.ports.Spool`."""
        self._refuse_if_told()
        self._policies.pop(policy_hash, None)
        self._policies[policy_hash] = (self._clock.now(), text)

    async def policy(self, policy_hash: str) -> bytes | None:
        """See `flow.ports.Spool`."""
        kept = self._policies.get(policy_hash)
        return kept[1] if kept else None

    async def events(self, queue_id: QueueId | None, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """See `flow.ports.Spool`."""
        found = [
            (number, event)
            for number, event in self._events
            if number > after and (queue_id is None or event.queue_id == queue_id)
        ]
        return tuple(found[:limit])

    async def sweep(self, events_before: datetime) -> int:
        """See `flow.ports.Spool`. Bodies without a message are nobody's harm here and are left."""
        needed = {kept.message.policy_hash for kept in self._kept.values()} | set(list(self._policies)[-1:])
        things = len(self._events) + len(self._policies)
        self._events = [(number, event) for number, event in self._events if event.at >= events_before]
        self._policies = {
            key: (kept_at, text)
            for key, (kept_at, text) in self._policies.items()
            if key in needed or kept_at >= events_before
        }
        return things - len(self._events) - len(self._policies)

    async def aclose(self) -> None:
        """Nothing to close."""

    def _refuse_if_told(self) -> None:
        if self.refuse is not None:
            raise self.refuse

    def _check_new(self, entries: Sequence[Entry]) -> None:
        if any(entry.message.queue_id in self._kept for entry in entries):
            raise SpoolError("a queue id was used twice")

    def _keep(self, entry: Entry) -> None:
        self._kept[entry.message.queue_id] = _Kept(entry.message, {row.number: row for row in entry.rows})
        self._write(entry.events)
        self._remove_if_ended(entry.message.queue_id)

    def _write(self, events: Sequence[Event]) -> None:
        for event in events:
            self._sequence += 1
            self._events.append((self._sequence, event))

    def _rows(self) -> Iterator[tuple[QueueId, RecipientRow]]:
        return ((queue_id, row) for queue_id, kept in self._kept.items() for row in kept.rows.values())

    def _due(self, now: datetime, not_to: frozenset[str]) -> Iterator[tuple[QueueId, RecipientRow]]:
        return ((q, row) for q, row in self._rows() if _is_due(row, now) and row.next_hop not in not_to)

    def _item(self, queue_id: QueueId, number: int) -> QueueItem:
        kept = self._kept[queue_id]
        body = replace(kept.message.body, inline=None, path=kept.message.body.path or "")
        return QueueItem(message=replace(kept.message, body=body), row=kept.rows[number])

    def _remove_if_ended(self, queue_id: QueueId) -> None:
        kept = self._kept.get(queue_id)
        if kept is not None and not any(row.state.waits for row in kept.rows.values()):
            del self._kept[queue_id]
            self.bodies.files.pop(kept.message.body.path or "", None)


def _is_due(row: RecipientRow, now: datetime) -> bool:
    return row.state.waits and row.due_at <= now


def _selects(filter: QueueFilter, queue_id: QueueId, row: RecipientRow) -> bool:
    return (
        filter.queue_id in (None, queue_id)
        and row.state in filter.states
        and filter.domain in (None, row.address.domain)
        and (filter.due_before is None or row.due_at < filter.due_before)
    )
