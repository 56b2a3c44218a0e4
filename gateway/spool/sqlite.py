"""The durable spool: one shard in a folder, `<dir>/shard-NNN/{lock, spool.db, bodies/}`, owned by one process.

Records are encoded and decoded on the event loop, SQL runs on the writer's thread, files in a few threads of their
own. Left out: any sharing of a shard between processes (its lock forbids it).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from gateway.core.record import Entry, Event, Message, QueueId
from gateway.flow.ports import (
    Clock,
    Lease,
    OperatorChange,
    QueueFilter,
    QueueItem,
    QueueSize,
    Settlement,
    SpoolError,
    SpoolFull,
)
from gateway.spool import queries
from gateway.spool.bodies import FileBodies
from gateway.spool.body_keys import KeyMissing
from gateway.spool.changeset import Changeset, apply
from gateway.spool.codec import Unreadable, decode_message, decode_row, micros, moment
from gateway.spool.disk import Disk, SystemDisk
from gateway.spool.due import Found, Wanted, find_due, next_due
from gateway.spool.ids import QueueIds
from gateway.spool.leases import Group, Leases
from gateway.spool.lock import SpoolLock
from gateway.spool.options import SpoolOptions
from gateway.spool.peek import check_keys
from gateway.spool.recent import Recent
from gateway.spool.schema import NEVER, open_for_reading, open_for_writing
from gateway.spool.sweep import kept_bodies, remove_orphans, sweep_events, sweep_policies
from gateway.spool.writer import Writer

_FILE_THREADS: Final = 4

Answer = TypeVar("Answer")


def folder_of(spool_dir: Path, shard: int) -> Path:
    """Where a shard lies."""
    return spool_dir / f"shard-{shard:03d}"


def _all(shard: int) -> int:
    return NEVER


def _ignore(queue_id: QueueId, reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolParts:
    """What a shard is made with. ``aside`` hears of each message that was set aside because it cannot be read.

    ``exported`` tells how far a shard's events may be swept, because they are kept elsewhere; it blocks.
    """

    clock: Clock
    options: SpoolOptions = field(default_factory=SpoolOptions)
    disk: Disk = field(default_factory=SystemDisk)
    aside: Callable[[QueueId, str], None] = _ignore
    exported: Callable[[int], int] = _all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A shard that is ready for use: its lock, and its database opened twice."""

    lock: SpoolLock
    writing: sqlite3.Connection
    reading: sqlite3.Connection


class SqliteSpool:
    """See `flow.ports.Spool`. Made by `open`, ended by `aclose`."""

    def __init__(self, folder: Path, shard: int, parts: SpoolParts, held: _Held) -> None:
        """For `open`."""
        self.shard = shard
        self._clock = parts.clock
        self._options = parts.options
        self._aside = parts.aside
        self._exported = parts.exported
        self._lock = held.lock
        self._ids = QueueIds(shard, parts.clock)
        self._leases = Leases(parts.clock)
        self._recent = Recent()
        self._claiming = asyncio.Lock()
        # What a claim that is under way may find due although it was attempted since.
        self._leased_meanwhile: set[Group] = set()
        # What an operator changes now: a commit that ends meanwhile gives it to nobody.
        self._operated: QueueId | None = None
        self._closed = False
        self._threads = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix=f"bodies {folder.name}")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix=f"questions {folder.name}")
        self._reading = held.reading
        self._writer = Writer(held.writing, folder / "bodies", parts.disk, parts.options.floor)
        self.bodies = FileBodies(
            folder / "bodies",
            parts.disk,
            self._threads,
            inline=parts.options.inline,
            floor=parts.options.floor,
            keys=parts.options.keys,
            unlink=self._writer.unlink,
            broken=self._writer.break_down,
        )

    @classmethod
    async def open(cls, spool_dir: Path, shard: int, parts: SpoolParts) -> "SqliteSpool":
        """Opens or makes the shard and removes files that no message refers to.

        Raises:
            Locked: another process owns it.
            SpoolError: it cannot be used.
        """
        folder = folder_of(spool_dir, shard)
        return cls(folder, shard, parts, await asyncio.to_thread(_open, folder, parts))

    async def aclose(self) -> None:
        """Finishes what was begun and gives the lock free."""
        self._closed = True
        await asyncio.to_thread(self._asking.shutdown)
        self._reading.close()
        await self._writer.aclose()  # The last connection to close takes the log away.
        await asyncio.to_thread(self._threads.shutdown)
        self._lock.release()

    @property
    def healthy(self) -> bool:
        """Whether the shard takes and gives mail; False after an I/O error, until the process is started anew."""
        return self._writer.healthy

    def new_queue_id(self) -> QueueId:
        """See `flow.ports.Spool`."""
        return self._ids.new()

    async def commit(self, entries: Sequence[Entry]) -> None:
        """See `flow.ports.Spool`."""
        change = Changeset(needs_room=True, keys=self._options.keys)
        with self._given_up_on_failure(entries):
            for entry in entries:
                change.add_entry(entry)
        try:
            await self._write(change, entries, lambda kept: self._remember(entries) if kept else None)
        except SpoolFull:
            self.bodies.told_full()
            raise

    async def claim(self, now: datetime, limit: int, not_to: frozenset[str]) -> tuple[Lease, ...]:
        """See `flow.ports.Spool`. What cannot be read is set aside and passed over."""
        async with self._claiming:
            self._leased_meanwhile.clear()
            taken, known = self._leases.taken(now), self._recent.snapshot()
            wanted = Wanted(now=micros(now), limit=limit, not_to=not_to, taken=taken, known=known)
            found = await self._writer.read(lambda db: find_due(db, wanted))
            leases: list[Lease] = []
            for one in found:
                if (one.queue_id, one.next_hop) in self._leased_meanwhile:
                    continue  # Leased from memory while we looked, and perhaps settled already.
                try:
                    leases.append(self._grant(one, known, now))
                except SpoolError as error:
                    await self._set_aside(one.queue_id, str(error))
            return tuple(leases)

    def lease(self, entry: Entry, next_hop: str) -> Lease | None:
        """See `flow.ports.Spool`."""
        message, now = entry.message, self._clock.now()
        if message.queue_id == self._operated or message.queue_id not in self._recent:
            return None
        if self._leases.is_taken((message.queue_id, next_hop), now):
            return None
        if self._claiming.locked():
            self._leased_meanwhile.add((message.queue_id, next_hop))
        return self._leases.grant(message, entry.to(next_hop), next_hop, now + self._options.lease)

    async def renew(self, lease: Lease, until: datetime) -> Lease:
        """See `flow.ports.Spool`."""
        return self._leases.renew(lease, until)

    async def release(self, lease: Lease) -> None:
        """See `flow.ports.Spool`."""
        self._leases.end(lease)

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """See `flow.ports.Spool`. The reserve does not hold it up: settling is what makes room."""
        change = Changeset(keys=self._options.keys)
        with self._given_up_on_failure(settlement.entries):
            change.add_rows(lease.message.queue_id, settlement.rows)
            change.add_events(settlement.events)
            for entry in settlement.entries:
                change.add_entry(entry)
            self._leases.settling(lease, settlement.rows)
        await self._write(
            change,
            settlement.entries,
            lambda kept: self._settled(lease) if kept else self._leases.unsettled(lease),
        )

    async def next_due(self, not_to: frozenset[str] = frozenset()) -> datetime | None:
        """See `flow.ports.Spool`."""
        wanted = Wanted(now=0, limit=0, not_to=not_to, taken=self._leases.taken(self._clock.now()))
        found = await self._writer.read(lambda db: next_due(db, wanted))
        return moment(found) if found is not None else None

    async def query(self, filter: QueueFilter, after: tuple[QueueId, int] | None, limit: int) -> tuple[QueueItem, ...]:
        """See `flow.ports.Spool`."""
        return await self._ask(lambda db: queries.items(db, filter, after, limit, self._options.keys))

    async def size(self) -> QueueSize:
        """See `flow.ports.Spool`."""
        return await self._ask(queries.size)

    async def operate(self, queue_id: QueueId, numbers: frozenset[int] | None, change: OperatorChange) -> int:
        """See `flow.ports.Spool`."""
        async with self._claiming:
            now = self._clock.now()
            self._operated = queue_id
            self._leases.drop_expired(queue_id, now)
            taken = self._leases.taken(now)

            def work(db: sqlite3.Connection) -> tuple[int, list[str]]:
                waiting = queries.items(db, QueueFilter(queue_id=queue_id), None, NEVER, self._options.keys)
                free = [item for item in waiting if (queue_id, item.row.next_hop) not in taken]
                changes = [change(item) for item in free if numbers is None or item.row.number in numbers]
                made = [changed for changed in changes if changed is not None]
                written = Changeset()
                written.add_rows(queue_id, [changed.row for changed in made])
                written.add_events([event for changed in made for event in changed.events])
                return len(made), apply(db, [written])

            try:
                return await self._writer.task(work)
            finally:
                self._operated = None
                self._recent.forget(queue_id)

    async def keep_policy(self, policy_hash: str, text: bytes) -> None:
        """See `flow.ports.Spool`."""
        now = micros(self._clock.now())

        def work(db: sqlite3.Connection) -> tuple[None, list[str]]:
            db.execute("INSERT OR REPLACE INTO policies VALUES (?, ?, ?)", (policy_hash, now, text))
            return None, []

        await self._writer.task(work)

    async def policy(self, policy_hash: str) -> bytes | None:
        """See `flow.ports.Spool`."""

        def work(db: sqlite3.Connection) -> bytes | None:
            found = db.execute("SELECT text FROM policies WHERE hash = ?", (policy_hash,)).fetchall()
            return found[0][0] if found else None

        return await self._ask(work)

    async def events(self, queue_id: QueueId | None, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """See `flow.ports.Spool`."""
        return await self._ask(lambda db: queries.events(db, queue_id, after, limit))

    async def sweep(self, events_before: datetime) -> int:
        """See `flow.ports.Spool`. In short transactions, so that mail passes between them."""
        before = micros(events_before)
        removed = await self._writer.task(lambda db: (sweep_policies(db, before), ()))
        last = await asyncio.to_thread(self._exported, self.shard)
        while some := await self._writer.task(lambda db: (sweep_events(db, before, last), ())):
            removed += some
        return removed + await self._sweep_bodies()

    async def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Reads what is committed on a connection of its own, so that a long answer holds up no mail."""
        if self._closed:
            raise SpoolError("the shard is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asking, question, self._reading)
        except sqlite3.Error as error:
            raise SpoolError(f"the spool cannot be read: {error}") from error

    async def _sweep_bodies(self) -> int:
        names = await asyncio.to_thread(lambda: {path.name for path in self.bodies.folder.iterdir()})
        # In this order: a file seen above and settled now was either committed, so that the database knows it, or
        # belongs to nobody.
        names -= self.bodies.unsettled
        kept = await self._ask(kept_bodies)
        for name in names - kept:
            self._writer.unlink(name)
        return len(names - kept)

    async def _write(self, change: Changeset, entries: Sequence[Entry], ended: Callable[[bool], None]) -> None:
        given = self.bodies.hand_over(_files(entries))

        def over(kept: bool) -> None:
            ended(kept)
            # After an I/O error a commit that failed may be on the disk all the same: its files wait for the next
            # opening, which looks.
            if kept or self.healthy:
                self.bodies.over(given, kept=kept)

        await self._writer.write(change, over)

    @contextmanager
    def _given_up_on_failure(self, entries: Sequence[Entry]) -> Generator[None]:
        """For what comes before the write: if it fails, the entries' files are nobody's."""
        try:
            yield
        except BaseException:
            for path in _files(entries):
                self.bodies.forget(path)
            raise

    def _remember(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._recent.add(entry.message)

    def _settled(self, lease: Lease) -> None:
        self._leases.end(lease)
        self._recent.forget(lease.message.queue_id)

    def _grant(self, found: Found, known: Mapping[QueueId, Message], now: datetime) -> Lease:
        message = known.get(found.queue_id)
        if message is None:
            if found.message is None:
                raise Unreadable("the message of a recipient is missing")
            message = decode_message(found.message, found.body, self._options.keys)
        rows = [decode_row(record) for record in found.rows]
        return self._leases.grant(message, rows, found.next_hop, now + self._options.lease)

    async def _set_aside(self, queue_id: QueueId, reason: str) -> None:
        """Its rows stay, waiting for a person, and are never due."""

        def work(db: sqlite3.Connection) -> tuple[None, list[str]]:
            db.execute("UPDATE recipients SET due_at = ? WHERE queue_id = ? AND due_at IS NOT NULL", (NEVER, queue_id))
            return None, []

        await self._writer.task(work)
        self._aside(queue_id, reason)


def _files(entries: Iterable[Entry]) -> list[str]:
    return [entry.message.body.path for entry in entries if entry.message.body.path is not None]


def _open(folder: Path, parts: SpoolParts) -> _Held:
    """Blocks. Whatever fails, the lock is free again."""
    lock = SpoolLock(folder / "lock")
    with ExitStack() as undone:
        undone.callback(lock.release)
        try:
            for needed in (folder.parent, folder, folder / "bodies"):
                needed.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock.acquire()
        except OSError as error:
            raise SpoolError(f"cannot make {folder}: {error.strerror}") from error
        writing = undone.enter_context(closing(open_for_writing(folder / "spool.db", parts.options.log)))
        _settle_folder(writing, folder, parts)
        held = _Held(lock=lock, writing=writing, reading=open_for_reading(folder / "spool.db"))
        undone.pop_all()
        return held


def _settle_folder(db: sqlite3.Connection, folder: Path, parts: SpoolParts) -> None:
    """The names of a new shard are made durable before anything is promised in it. Raises SpoolError."""
    try:
        parts.disk.sync_folder(folder)
        parts.disk.sync_folder(folder.parent)
        check_keys(db, parts.options.keys)
        remove_orphans(db, folder / "bodies", parts.disk)
    except (OSError, sqlite3.Error, KeyMissing) as error:
        raise SpoolError(f"cannot use {folder}: {error}") from error
