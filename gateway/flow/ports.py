"""The ports: all that the flow knows of the outside. One contract suite per port runs over every implementation."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from gateway.core.address import ReversePath
from gateway.core.envelope import BodyType, Recipient, Ret
from gateway.core.facts import Lookup, OutsideFact
from gateway.core.outcome import Outcome
from gateway.core.override import OverrideResult
from gateway.core.record import (
    BodyRef,
    Entry,
    Event,
    Message,
    QueueId,
    RecipientRow,
    State,
)
from gateway.core.route import Route
from gateway.core.tls import Protection
from gateway.core.tlsrpt import SessionSeen


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
    states: frozenset[State] = frozenset({State.QUEUED, State.OPEN, State.HELD})
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One recipient of a delivery; ``number`` is its row's. ``deferred_before`` feeds `core.tls.next_step`."""

    number: int
    recipient: Recipient
    handshake_failed_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for recipients that share route, floor and destination.

    ``destination`` is the recipient domain. ``header`` is the rendered header block (it ends with the empty line) and
    ``body`` from ``body_offset`` on follows it byte for byte. ``delivery_id`` is the same on every repeat.
    ``require_tls`` and ``tls_optional`` are RFC 8689's two wishes. Its TLS sessions are ``counted`` for TLSRPT, except
    those of TLSRPT's own reports.
    """

    delivery_id: str
    queue_id: QueueId
    route: Route
    floor: Protection
    destination: str
    reverse_path: ReversePath
    targets: tuple[Target, ...]
    header: bytes
    body: BodyRef
    body_offset: int
    body_type: BodyType
    smtputf8: bool
    ret: Ret | None
    envid: str | None
    require_tls: bool = False
    tls_optional: bool = False
    counted: bool = True

    @property
    def size(self) -> int:
        """Bytes that will be sent, without dot-stuffing."""
        return len(self.header) + self.body.size - self.body_offset


class Transport(Protocol):
    """One way to carry mail. It never raises for a peer's fault, and knows no timers of the queue."""

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """One outcome per target number; the dispatcher treats a missing one as Deferred(LOCAL)."""
        ...

    def next_hop(self, domain: str) -> str:
        """The destination part of a row's ``next_hop``: the domain, or this route's fixed host."""
        ...

    async def aclose(self) -> None:
        """Closes kept connections."""
        ...


class Lookups(Protocol):
    """Outside facts for the rules that read them: cached, single flight, each result or why there is none."""

    async def look_up(
        self, wanted: frozenset[tuple[Lookup, str]], wait: timedelta
    ) -> Mapping[tuple[Lookup, str], OutsideFact]:
        """All at once, within ``wait`` altogether; never raises, never answers later than that."""
        ...


class TlsSessions(Protocol):
    """Counts TLS sessions for TLSRPT, or does nothing where nobody reports."""

    def note(self, seen: SessionSeen) -> None:
        """Takes one; never raises, never waits."""
        ...


class Signer(Protocol):
    """Signs outgoing mail (DKIM, RFC 6376)."""

    def wanted(self, domain: str) -> bool:
        """Whether mail from that domain is signed, so that its body has to be hashed."""
        ...

    def sign(self, header: bytes, body_hash: str) -> bytes:
        """The signature fields, to stand before a rendered header block; none for a domain without a key.

        ``body_hash`` is `Message.body_hash`. Never raises for the message's fault.
        """
        ...


class StateStore(Protocol):
    """A small memory that all workers of a machine share: a value may be lost with the power, so no mail rests on it.

    Keys begin with the part of the gateway that owns them (``history/``, ``modes``, ``override/``). Values have at most
    64 KiB. Every method raises SpoolError if it cannot do it.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, or None if there is none or it has expired."""
        ...

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are there, in one question."""
        ...

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        """Those whose keys begin so, by key, at most ``limit``."""
        ...

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        """Keeps the value until then. Raises ValueError for one that is too large."""
        ...

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        """Keeps the value unless there is one that has not expired; returns the value that holds, in one step."""
        ...

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        """Keeps all of them until then, in one transaction."""
        ...

    async def delete(self, key: str) -> None:
        """Forgets the value."""
        ...

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        """Takes or prolongs the lease; False while another holder's has not run out."""
        ...


class Clock(Protocol):
    """Time. ``now`` is aware UTC."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep_until(self, when: datetime) -> None: ...


class Ids(Protocol):
    """Unguessable ids (Message-IDs, boundaries)."""

    def new(self) -> str: ...


class Jitter(Protocol):
    """Spreads retries: a factor around 1."""

    def factor(self) -> float: ...


class Events(Protocol):
    """What telemetry hears; each call is one fact, logged once and counted once. It never raises and never waits."""

    def accepted(self, message: Message, rows: Sequence[RecipientRow]) -> None: ...

    def refused(self, listener: str, client: str, reason: str, code: int) -> None: ...

    def attempted(self, message: Message, row: RecipientRow, route: Route, outcome: Outcome) -> None: ...

    def moved(self, message: Message, row: RecipientRow, from_route: str, to_route: str) -> None: ...

    def ended(self, message: Message, row: RecipientRow) -> None: ...

    def unprotected(self, message: Message, row: RecipientRow) -> None: ...

    def observed_unprotected(self, message: Message, row: RecipientRow) -> None: ...

    def overridden(self, rule: str, sender: str, result: OverrideResult) -> None: ...

    def alert(self, name: str, queue_id: str, detail: str) -> None: ...

    def broken(self, where: str, queue_id: str, error: BaseException) -> None: ...
