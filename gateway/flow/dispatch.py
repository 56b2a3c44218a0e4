"""Dispatch: the loop of one spool that claims what is due, works each lease, and rests until something has changed.

What was committed a moment ago goes at once, unless older rows come first or there is no place. For the rest it wakes
by the end of a delivery that somebody may have waited for, by the end of a pause, and by the next due time; it never
polls. Leases of long deliveries are renewed. Left out on purpose: what a lease's work is (`flow.lease_work`), and how
much may be under way (`flow.traffic`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.core.record import Entry, Kind
from gateway.flow.lease_work import LeaseWork, Worked
from gateway.flow.ports import Lease, LeaseLost, Spool, SpoolError
from gateway.flow.shared import Shared
from gateway.flow.traffic import Contact, Traffic

LEASE: Final = timedelta(minutes=15)
"""How long a renewed lease lives: longer than the ten minutes that a reply to the final dot may take."""
KEEP_EVERY: Final = timedelta(minutes=1)
"""How often leases are looked at; one with less than three of these left is renewed.

So is one with more than it was given: the clock was set back, and that does not make the lease any longer.
"""
AFTER_TROUBLE: Final = timedelta(seconds=5)
"""The rest after the spool failed, and the least rest when rows are due that a claim does not give."""
LINGERS: Final = timedelta(seconds=2)
"""A delivery that takes longer waits on somebody else, and gives its place up if there is none left."""


class Dispatch:
    """The loop of one spool. Several may share one `Traffic`."""

    def __init__(self, spool: Spool, shared: Shared, traffic: Traffic) -> None:
        self._spool = spool
        self._shared = shared
        self._traffic = traffic
        self._woken = asyncio.Event()
        self._works: asyncio.TaskGroup | None = None
        self._stopping = False
        self._leases: dict[int, Lease] = {}
        # Since when each delivery that keeps its place is under way, oldest first; and what those that linger hold.
        self._prompt: dict[int, float] = {}
        self._lingering: dict[int, int] = {}
        # Whether something may be due that no claim has looked for.
        self._behind = True
        # The next hops whose rows may wait in the spool for a place: new ones go behind them.
        self._passed_over: frozenset[str] = frozenset()
        # When the next row falls due, as far as is known, and when the spool is asked again in any case.
        self._due: datetime | None = None
        self._ask_again_at: datetime | None = None

    def committed(self, entries: Sequence[Entry]) -> None:
        """New entries of the spool: what may go at once goes without asking the spool for it."""
        now = self._shared.clock.now()
        for entry in entries:
            waiting = [row for row in entry.rows if row.state.waits]
            for next_hop in dict.fromkeys(row.next_hop for row in waiting):
                due = [row.due_at for row in waiting if row.next_hop == next_hop]
                if max(due) > now or not self._start(entry, next_hop, now):
                    self._expect(due)

    def wake(self) -> None:
        """Anything may be due: an operator changed rows, routes were replaced."""
        self._behind = True
        self._woken.set()

    def stop(self) -> None:
        """Claims nothing more; `run` returns when the deliveries that are under way have ended."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Runs until `stop`, then ends in good order; cancelled, it leaves its leases to run out."""
        self._traffic.on_room.append(self._room_again)
        try:
            async with asyncio.TaskGroup() as tasks:
                keeper = tasks.create_task(self._keep_leases())
                async with asyncio.TaskGroup() as works:
                    await self._go_on(works)
                keeper.cancel()
        finally:
            self._traffic.on_room.remove(self._room_again)

    async def _go_on(self, works: asyncio.TaskGroup) -> None:
        self._works = works
        try:
            while not self._stopping:
                await self._round()
        finally:
            self._works = None

    async def _round(self) -> None:
        """Catches up if something may be due, then rests."""
        self._woken.clear()
        try:
            if self._behind:
                await self._catch_up()
            until = self._next_lingers() if self._behind else self._rest_until()
        except SpoolError as error:
            self._shared.events.broken("spool", "", error)
            self._behind = True
            until = self._shared.clock.now() + AFTER_TROUBLE
        if not self._stopping:
            await self._rest(until)

    async def _catch_up(self) -> None:
        """Claims until nothing that may go is due. Without room it stays behind, and is woken when there is some."""
        self._let_linger()
        while room := self._traffic.room():
            self._behind = False
            if not await self._claim(room):
                await self._ask()
                return
            self._behind = True

    async def _claim(self, room: int) -> bool:
        """Starts the work of at most ``room`` leases; False if nothing was due."""
        now = self._shared.clock.now()
        self._passed_over = self._traffic.blocked(now)
        leases = await self._spool.claim(now, room, self._passed_over)
        for lease in leases:
            if self._works is not None and self._traffic.begin(lease.next_hop, now):
                self._begin(lease, self._works, whole=False)
            else:
                await self._spool.release(lease)
        return bool(leases)

    async def _ask(self) -> None:
        """Learns when something will be due that could not go now."""
        now = self._shared.clock.now()
        blocked = self._traffic.blocked(now)
        self._passed_over |= blocked
        # Cleared first: what becomes known while the spool is asked is kept by `_expect`.
        self._due, self._ask_again_at = None, now + LEASE
        found = await self._spool.next_due(blocked)
        if found is not None and found <= now:
            # It was not given to us: it is damaged, or somebody's lease. No reason to spin.
            found = now + AFTER_TROUBLE
        self._due = min((at for at in (found, self._due) if at is not None), default=None)

    def _start(self, entry: Entry, next_hop: str, now: datetime) -> bool:
        """Starts the work of a new entry, or leaves it to wait for a place; False if the spool must be asked."""
        if self._works is None or self._behind or not self._traffic.room():
            return False
        if next_hop in self._passed_over:
            return True
        if not self._traffic.begin(next_hop, now):
            self._passed_over |= {next_hop}
            return True
        lease = self._spool.lease(entry, next_hop)
        if lease is None:
            self._traffic.end(next_hop, Contact.UNTRIED, now)
            return False
        self._begin(lease, self._works, whole=True)
        return True

    def _begin(self, lease: Lease, works: asyncio.TaskGroup, *, whole: bool) -> None:
        self._leases[lease.token] = lease
        self._prompt[lease.token] = self._shared.clock.monotonic()
        works.create_task(self._work(lease, whole=whole))

    async def _work(self, lease: Lease, *, whole: bool) -> None:
        """One lease. Whatever fails, the loop goes on and the lease runs out by itself, which spaces the repeats."""
        contact, queue_id = Contact.UNTRIED, lease.message.queue_id
        try:
            worked = await LeaseWork(self._shared, self._spool, lease).run()
            contact = worked.contact
            self._note(worked, lease.message.kind, whole=whole)
        except LeaseLost:
            self._shared.events.alert("lease-lost", queue_id, "an attempt was not recorded: its rows were changed")
        except Exception as error:
            self._shared.events.broken("dispatch", queue_id, error)
        finally:
            del self._leases[lease.token]
            self._prompt.pop(lease.token, None)
            lingered = self._lingering.pop(lease.token, 0)
            self._traffic.end(lease.next_hop, contact, self._shared.clock.now(), lingered)

    def _note(self, worked: Worked, kind: Kind, *, whole: bool) -> None:
        """``whole``: the lease had all rows of its message for the next hop, so it kept none from a claim."""
        after = [change.after for change in worked.changes]
        self._expect(row.due_at for row in after if row.state.waits)
        waited_for = kind is Kind.NOTIFICATION or not whole
        if worked.entries or (waited_for and not all(row.state.waits for row in after)):
            self.wake()

    def _expect(self, due: Iterable[datetime]) -> None:
        """Takes due times that became known here into account, and wakes if one of them is near enough to matter."""
        now = self._shared.clock.now()
        for at in due:
            if at <= now:
                self.wake()
            elif self._due is None or at < self._due:
                self._due = at
                self._woken.set()

    def _room_again(self) -> None:
        """A place is free, or a pause has begun: only the former is worth a look, and only if somebody waits for it."""
        if self._passed_over - self._traffic.blocked(self._shared.clock.now()):
            self._behind = True
        self._woken.set()

    def _let_linger(self) -> None:
        """Without room, every delivery that takes long gives its place up; those that began first come first."""
        if self._traffic.room():
            return
        long_ago = self._shared.clock.monotonic() - LINGERS.total_seconds()
        for token, began in tuple(self._prompt.items()):
            if began > long_ago:
                return
            # One that is too large to linger beside the others keeps its place; a smaller one may follow.
            if held := self._traffic.linger(self._leases[token].message.body.size):
                del self._prompt[token]
                self._lingering[token] = held

    def _next_lingers(self) -> datetime:
        """When the oldest of the deliveries that take all places will have taken long; later, if it may not linger.

        Where they are all another loop's, the end of one wakes us; nothing depends on that alone.
        """
        clock = self._shared.clock
        began = next(iter(self._prompt.values()), None)
        left = LINGERS.total_seconds() - (clock.monotonic() - began) if began is not None else LEASE.total_seconds()
        return clock.now() + max(timedelta(seconds=left), LINGERS / 4)

    def _rest_until(self) -> datetime | None:
        """The next time at which something may go that cannot go now."""
        times = (self._due, self._traffic.next_change(self._shared.clock.now()), self._ask_again_at)
        return min((at for at in times if at is not None), default=None)

    async def _rest(self, until: datetime | None) -> None:
        if until is None:
            await self._woken.wait()
            return
        async with asyncio.TaskGroup() as tasks:
            alarm = tasks.create_task(self._alarm(until))
            await self._woken.wait()
            alarm.cancel()

    async def _alarm(self, until: datetime) -> None:
        await self._shared.clock.sleep_until(until)
        self.wake()

    async def _keep_leases(self) -> None:
        """Renews the leases of deliveries that take long. A lost one shows when it is settled."""
        clock = self._shared.clock
        while True:
            await clock.sleep_until(clock.now() + KEEP_EVERY)
            now = clock.now()
            for token, lease in tuple(self._leases.items()):
                if not 3 * KEEP_EVERY <= lease.until - now <= LEASE and token in self._leases:
                    await self._renew(token, lease, now + LEASE)

    async def _renew(self, token: int, lease: Lease, until: datetime) -> None:
        try:
            renewed = await self._spool.renew(lease, until)
        except SpoolError:
            return
        if token in self._leases:
            self._leases[token] = renewed
