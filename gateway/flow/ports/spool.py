"""The spool: the one durable place, its bodies and leases; and what goes wrong with it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.core.record import (
    BodyRef,
    Entry,
    Event,
    Message,
    QueueId,
    RecipientRow,
    State,
)


class SpoolError(Exception):
    """The spool could not do what was asked; nothing of it happened. Mail is answered 451 4.3.0."""


class SpoolFull(SpoolError):
    """No room, now or below the reserve; mail is answered 452 4.3.1 and the spool is intact."""


class LeaseLost(SpoolError):
    """The lease ran out or its rows changed (an operator deleted them); the settlement did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to attempt the due rows of one message for one ``next_hop``, until ``until`` or renewal."""

    token: int
    message: Message
    rows: tuple[RecipientRow, ...]
    next_hop: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one attempt changed: the new rows (same numbers as the lease's), events, and mail of ours that it causes."""

    rows: tuple[RecipientRow, ...]
    events: tuple[Event, ...]
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """What `Spool.query` selects; all given parts must hold. ``domain`` is the recipient's."""

    queue_id: QueueId | None = None
    states: frozenset[State] = frozenset({State.QUEUED, State.OPEN, State.HELD, State.PENDING})
    domain: str | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One row of a query, with the message it belongs to. The message's body is never inline here."""

    message: Message
    row: RecipientRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What an operator's change makes of one row (same number), and the audit events that tell it."""

    row: RecipientRow
    events: tuple[Event, ...]


OperatorChange: TypeAlias = Callable[[QueueItem], RowChange | None]
"""Pure and quick: what becomes of a waiting row, or None to leave it; `gateway.spool.changes` has the usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSize:
    """For the gauges: how many recipients wait in each state, and when the oldest of them was accepted."""

    waiting: Mapping[State, int]
    oldest: datetime | None


class BodyWriter(Protocol):
    """Receives one message in blocks; small ones stay in memory, large ones go to a file beside the spool."""

    def write(self, block: bytes) -> None:
        """Takes a block, at most 256 KiB. Raises SpoolFull or SpoolError."""
        ...

    async def finish(self) -> BodyRef:
        """Makes a file durable (file and folder); an inline body is so with its row. Raises SpoolFull, SpoolError."""
        ...

    def discard(self) -> None:
        """Forgets all; harmless at any time, also after finish (unless the entry was committed)."""
        ...


class Bodies(Protocol):
    """The messages as received."""

    def writer(self) -> BodyWriter:
        """Starts a new body. Raises SpoolFull below the disk reserve."""
        ...

    def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes from ``offset`` in blocks of at most 256 KiB. Raises SpoolError for a damaged body."""
        ...


class Spool(Protocol):
    """The one durable place. Every method is durable on return and all or nothing."""

    @property
    def bodies(self) -> Bodies:
        """The messages as received, of this spool."""
        ...

    def new_queue_id(self) -> QueueId:
        """A fresh id of this shard."""
        ...

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Takes responsibility for the entries. Raises SpoolFull, SpoolError; then nothing was kept."""
        ...

    async def claim(self, now: datetime, limit: int, not_to: frozenset[str]) -> tuple[Lease, ...]:
        """Leases due rows (QUEUED or OPEN or HELD past ``due_at``), oldest first, at most ``limit`` leases.

        Rows under a living lease and rows whose next hop is in ``not_to`` are passed over; a busy destination never
        hides the others behind it. Inline bodies come with the message.
        """
        ...

    def lease(self, entry: Entry, next_hop: str) -> Lease | None:
        """The lease on all rows for ``next_hop`` of an entry committed just now, without a look at what is stored.

        None if they may not be as they were committed: `claim` gives them, if they are still due.
        """
        ...

    async def renew(self, lease: Lease, until: datetime) -> Lease:
        """Extends a lease. Raises LeaseLost."""
        ...

    async def release(self, lease: Lease) -> None:
        """Gives a lease back unsettled; its rows are due at once again."""
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Outcomes, times, events and caused mail in one transaction; ends the lease.

        A message whose rows have all ended is removed with its body. Raises LeaseLost, SpoolFull, SpoolError.
        """
        ...

    async def next_due(self, not_to: frozenset[str] = frozenset()) -> datetime | None:
        """When the next row that is not leased, and not for a hop in ``not_to``, becomes due; None when none waits.

        Without ``not_to`` the overdue rows of a paused destination would hide the next time that matters.
        """
        ...

    async def query(self, filter: QueueFilter, after: tuple[QueueId, int] | None, limit: int) -> tuple[QueueItem, ...]:
        """A page of rows ordered by (queue id, number), strictly behind ``after``."""
        ...

    async def size(self) -> QueueSize:
        """Counts for the gauges."""
        ...

    async def operate(self, queue_id: QueueId, numbers: frozenset[int] | None, change: OperatorChange) -> int:
        """Applies an operator's change to the message's waiting rows (None: all of them) in one transaction.

        Rows under a living lease are left alone: a delivery in hand is never unrecorded. Returns how many rows
        changed; a message whose rows have all ended is removed with its body. Raises SpoolFull, SpoolError.
        """
        ...

    async def keep_policy(self, policy_hash: str, text: bytes) -> None:
        """Keeps a policy's bytes for as long as an entry names it."""
        ...

    async def policy(self, policy_hash: str) -> bytes | None:
        """The bytes of a kept policy."""
        ...

    async def events(self, queue_id: QueueId | None, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """Audit events in the order they were written, each with its sequence number, strictly behind ``after``."""
        ...

    async def sweep(self, events_before: datetime) -> int:
        """Removes audit events older than that, bodies without a message, and policies kept before it without entries.

        The policy that was kept last stays: it is the one in force. Returns how many things went.
        """
        ...
