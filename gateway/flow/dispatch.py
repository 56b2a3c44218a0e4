"""Dispatch: the loop of one spool that claims what is due, works each lease, and rests until something has changed.

It wakes by a commit, by the end of a delivery that somebody may have waited for, by the end of a pause, and by the next
due time; it never polls. Leases of long deliveries are renewed. Left out on purpose: what a lease's work is
(`flow.lease_work`), and how much may be under way (`flow.traffic`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.core.outcome import Sealed
from gateway.core.record import Entry
from gateway.flow.lease_work import LeaseWork
from gateway.flow.ports import Lease, LeaseLost, Spool, SpoolError
from gateway.flow.settling import Change
from gateway.flow.shared import Shared
from gateway.flow.traffic import Contact, Traffic

LEASE: Final = timedelta(minutes=15)
"""How long a renewed lease lives: longer than the ten minutes that a reply to the final dot may take."""
KEEP_EVERY: Final = timedelta(minutes=1)
"""How often leases are looked at; one with less than three of these left is renewed."""
AFTER_TROUBLE: Final = timedelta(seconds=5)
"""The rest after the spool failed, and the least rest when rows are due that a claim does not give."""


class Dispatch:
    """The loop of one spool. Several may share one `Traffic`."""

    def __init__(self, spool: Spool, shared: Shared, traffic: Traffic) -> None:
        self._spool = spool
        self._shared = shared
        self._traffic = traffic
        self._woken = asyncio.Event()
        self._stopping = False
        self._leases: dict[int, Lease] = {}
        # When the next row falls due, and for which passed-over hops the spool was asked; None when it must be asked.
        self._due: datetime | None = None
        self._due_but: frozenset[str] | None = None
        self._ask_again_at: datetime | None = None

    def committed(self, entries: Sequence[Entry]) -> None:
        """New entries of the spool. What they say of due times spares asking the spool."""
        self._expect(row.due_at for entry in entries for row in entry.rows if row.state.waits)

    def wake(self) -> None:
        """Anything may be due: an operator changed rows, routes were replaced."""
        self._due_but = None
        self._woken.set()

    def stop(self) -> None:
        """Claims nothing more; `run` returns when the deliveries that are under way have ended."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Runs until `stop`, then ends in good order; cancelled, it leaves its leases to run out."""
        self._traffic.on_room.append(self._woken.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                keeper = tasks.create_task(self._keep_leases())
                async with asyncio.TaskGroup() as works:
                    while not self._stopping:
                        await self._round(works)
                keeper.cancel()
        finally:
            self._traffic.on_room.remove(self._woken.set)

    async def _round(self, works: asyncio.TaskGroup) -> None:
        """Claims until nothing that may go is due, then rests."""
        self._woken.clear()
        try:
            while (room := self._traffic.room()) and await self._claim(room, works):
                pass
            until = await self._rest_until() if room else None
        except SpoolError as error:
            self._shared.events.broken("spool", "", error)
            until = self._shared.clock.now() + AFTER_TROUBLE
        if not self._stopping:
            await self._rest(until)

    async def _claim(self, room: int, works: asyncio.TaskGroup) -> bool:
        """Starts the work of at most ``room`` leases; False if nothing was due."""
        now = self._shared.clock.now()
        leases = await self._spool.claim(now, room, self._traffic.blocked(now))
        for lease in leases:
            if self._traffic.begin(lease.next_hop):
                self._leases[lease.token] = lease
                works.create_task(self._work(lease))
            else:
                await self._spool.release(lease)
        return bool(leases)

    async def _work(self, lease: Lease) -> None:
        """One lease. Whatever fails, the loop goes on and the lease runs out by itself, which spaces the repeats."""
        contact, queue_id = Contact.UNTRIED, lease.message.queue_id
        try:
            contact, changes = await LeaseWork(self._shared, self._spool, lease).run()
            self._note(changes)
        except LeaseLost:
            self._shared.events.alert("lease-lost", queue_id, "an attempt was not recorded: its rows were changed")
        except Exception as error:
            self._shared.events.broken("dispatch", queue_id, error)
        finally:
            del self._leases[lease.token]
            self._traffic.end(lease.next_hop, contact, self._shared.clock.now())

    def _note(self, changes: Sequence[Change]) -> None:
        self._expect(change.after.due_at for change in changes if change.after.state.waits)
        if any(_causes_mail(change) for change in changes):
            self.wake()

    def _expect(self, due: Iterable[datetime]) -> None:
        """Takes due times that became known here into account, and wakes if one of them is near enough to matter."""
        now = self._shared.clock.now()
        for at in due:
            if at <= now:
                self._woken.set()
            elif self._due is None or at < self._due:
                self._due = at
                self._woken.set()

    async def _rest_until(self) -> datetime:
        """The next time at which something may go that cannot go now."""
        now = self._shared.clock.now()
        blocked = self._traffic.blocked(now)
        if self._must_ask(blocked, now):
            # Cleared first: what becomes known while the spool is asked is kept by `_expect`.
            self._due, self._due_but, self._ask_again_at = None, blocked, now + LEASE
            found = await self._spool.next_due(blocked)
            self._due = min((at for at in (found, self._due) if at is not None), default=None)
        # A row that is due and was not given to us is damaged, or somebody's lease: no reason to spin.
        due = self._due if self._due is None or self._due > now else now + AFTER_TROUBLE
        times = (due, self._traffic.next_change(now), self._ask_again_at)
        return min(at for at in times if at is not None)

    def _must_ask(self, blocked: frozenset[str], now: datetime) -> bool:
        """The answer holds while the same hops are passed over, until it is due; leases that ran out show in time."""
        if self._due_but != blocked or self._ask_again_at is None or self._ask_again_at <= now:
            return True
        return self._due is not None and self._due <= now

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
        self._woken.set()

    async def _keep_leases(self) -> None:
        """Renews the leases of deliveries that take long. A lost one shows when it is settled."""
        clock = self._shared.clock
        while True:
            await clock.sleep_until(clock.now() + KEEP_EVERY)
            now = clock.now()
            for token, lease in tuple(self._leases.items()):
                if lease.until - now < 3 * KEEP_EVERY and token in self._leases:
                    await self._renew(token, lease, now + LEASE)

    async def _renew(self, token: int, lease: Lease, until: datetime) -> None:
        try:
            renewed = await self._spool.renew(lease, until)
        except SpoolError:
            return
        if token in self._leases:
            self._leases[token] = renewed


def _causes_mail(change: Change) -> bool:
    """Whether mail of ours, or a recipient that waited for such mail, may be due because of it."""
    own = change.told or change.after.decision.effects.notifications or isinstance(change.outcome, Sealed)
    return bool(own) or not change.after.state.waits
