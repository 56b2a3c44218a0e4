"""The work of one lease: attempt, decide again, or give up its rows, and settle all of that in one transaction.

Left out on purpose: when leases are claimed and renewed (`flow.dispatch`), and what an outcome means (`core.progress`).
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.core.chronicle import route_of
from gateway.core.decision import Held
from gateway.core.outcome import Cause, Deferred, Outcome, Sealed
from gateway.core.progress import NOT_RELEASED, Ending, GiveBack
from gateway.core.record import Entry, RecipientRow, State
from gateway.core.report import Purpose
from gateway.flow.deliveries import Deliveries
from gateway.flow.holding import hold_letters, newly_held
from gateway.flow.notifications import Match, Notifications, new_notifications
from gateway.flow.passwords import UNTOLD, password_letters
from gateway.flow.pending import ROOM_EVERY, Pending
from gateway.flow.ports import Lease, SealedStoreError, Settlement, Spool, SpoolError, SpoolFull
from gateway.flow.post import Post
from gateway.flow.reopening import Reopening
from gateway.flow.sealed_letters import SealedLetters, package_of
from gateway.flow.settling import Change, Settling
from gateway.flow.shared import Shared
from gateway.flow.traffic import Contact

UNTOLD_AFTER: Final = timedelta(days=1)
"""How long after all its time a recipient waits for a report that a fault of ours keeps from being made."""
PASSWORD_WITHIN: Final = timedelta(hours=1)
"""How long a delivery waits to be recorded for a store that is to give its password."""
_HELD_TOO_LONG: Final = GiveBack(Ending.NOT_RELEASED, NOT_RELEASED)
_RETURNED: Final = GiveBack(Ending.RETURNED, NOT_RELEASED)
_BOUNCED: Final = GiveBack(Ending.BOUNCED, NOT_RELEASED)
_UNREACHED: Final = frozenset({Cause.UNREACHABLE, Cause.DNS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What the attempt says of the next hop, what was settled, and the mail of ours that came of it."""

    contact: Contact
    changes: tuple[Change, ...]
    entries: tuple[Entry, ...]


class LeaseWork:
    """One lease, once."""

    def __init__(self, shared: Shared, spool: Spool, lease: Lease) -> None:
        self._shared = shared
        self._spool = spool
        self._lease = lease
        self._message = lease.message
        self._notifications = Notifications(spool, shared, lease.message)

    async def run(self) -> Worked:
        """Attempts, settles, and tells of it.

        Raises:
            LeaseLost: somebody else has the rows; nothing was settled.
            SpoolError: nothing was settled; the lease runs out by itself, and the rows are tried again. It is never
                SpoolFull, which is waited out.
        """
        settled, entries = await self._settle(tuple(await self._changes()))
        self._tell(settled, entries)
        with self._ours():
            await self._notifications.unreportable(change.after for change in settled)
        return Worked(contact=_contact([change.outcome for change in settled]), changes=settled, entries=entries)

    async def _changes(self) -> list[Change]:
        rows, settling = self._lease.rows, Settling(self._shared, self._message)
        changes: list[Change] = []
        queued = [row for row in rows if row.state is State.QUEUED]
        if queued:
            deliveries = Deliveries(self._shared, self._spool.bodies, self._message)
            attempts = await deliveries.attempt(queued, self._shared.clock.now())
            now = self._shared.clock.now()
            changes += [settling.attempted(attempt, now) for attempt in attempts]
        undecided = [row for row in rows if row.state is State.OPEN]
        if undecided:
            changes += await Reopening(self._shared, self._spool, self._message).decide(undecided)
        held = [row for row in rows if row.state is State.HELD]
        now = self._shared.clock.now()
        changes += [settling.given_back(row, _why_back(row), now) for row in held]
        return changes + [settling.notified(row, now) for row in rows if row.state is State.PENDING]

    async def _settle(self, changes: tuple[Change, ...]) -> tuple[tuple[Change, ...], tuple[Entry, ...]]:
        """Without a report its recipients stay deferred; what was delivered is recorded all the same."""
        pending = Pending(self._spool, self._shared, self._message)
        await pending.answer(changes)
        await pending.revoke(changes)
        try:
            entries = await self._entries(changes)
        except Exception as error:
            return await self._settle_untold(changes, "report", error)
        try:
            await self._spool.settle(self._lease, _settlement(changes, entries))
            return changes, entries
        except SpoolFull as error:
            return await self._settle_untold(changes, "report" if entries else "settle", error)
        except Exception as error:
            if isinstance(error, SpoolError) or not entries:
                raise
            return await self._settle_untold(changes, "report", error)

    async def _settle_untold(
        self, changes: tuple[Change, ...], where: str, error: Exception
    ) -> tuple[tuple[Change, ...], tuple[Entry, ...]]:
        """A disk comes back; a report that nothing but a fault of ours prevents cannot be waited for without end."""
        self._shared.events.broken(where, self._message.queue_id, error)
        disk, now, queue = isinstance(error, SpoolError), self._shared.clock.now(), self._shared.queue
        due_at = now + (queue.retry_min if disk else queue.retry_max)
        changes = tuple(
            _without_report(change, due_at)
            if disk or now < change.before.expires_at + UNTOLD_AFTER
            else _unreportable(change)
            for change in changes
        )
        entries = await self._record(changes)
        with self._ours():
            await self._notifications.gather(_matched(changes))
        return changes, entries

    async def _record(self, changes: Sequence[Change]) -> tuple[Entry, ...]:
        """Waits for room if need be: what a next hop has taken, and we forgot, it would be sent again.

        Passwords of what it has taken are told at the same time, because they would not be later.
        """
        clock = self._shared.clock
        until = clock.now() + PASSWORD_WITHIN
        while True:
            try:
                entries = await self._passwords(changes, until)
                await self._spool.settle(self._lease, _settlement(changes, entries))
                return entries
            except (SpoolFull, SealedStoreError):
                await clock.sleep_until(clock.now() + ROOM_EVERY)

    async def _passwords(self, changes: Sequence[Change], until: datetime) -> tuple[Entry, ...]:
        """None if a fault of ours keeps them from being told; a store that is down is waited for until then."""
        try:
            return await password_letters(Post(self._spool, self._shared), self._shared, self._message, changes)
        except SpoolError:
            raise
        except Exception as error:
            if isinstance(error, SealedStoreError) and self._shared.clock.now() < until:
                raise
            self._shared.events.broken("password", self._message.queue_id, error)
            self._shared.events.alert(UNTOLD, self._message.queue_id, "a password could not be told")
            return ()

    async def _entries(self, changes: Sequence[Change]) -> tuple[Entry, ...]:
        """One mail of ours for each purpose; a lease is one next hop, so a report is about that one (decision 006)."""
        told = [one for change in changes for one in change.told]
        post = Post(self._spool, self._shared)
        entries = await post.entries(self._message, told)
        held = [change.after for change in changes if newly_held(change.before, change.after)]
        letters = await hold_letters(post, self._shared, self._message, held)
        sealed = await SealedLetters(post, self._shared, self._spool.bodies, self._message).entries(changes)
        passwords = await password_letters(post, self._shared, self._message, changes)
        return (*entries, *letters, *sealed, *passwords, *await self._notifications.entries(_matched(changes)))

    @contextmanager
    def _ours(self) -> Generator[None]:
        """Nothing that fails behind the settlement undoes it: it is heard of, and the rest goes on."""
        try:
            yield
        except Exception as error:
            self._shared.events.broken("settled", self._message.queue_id, error)

    def _tell(self, changes: Sequence[Change], entries: tuple[Entry, ...]) -> None:
        for change in changes:
            with self._ours():
                self._tell_of(change)
        with self._ours():
            self._shared.history.settled(self._message, [change.after for change in changes])
        for entry in entries:
            with self._ours():
                self._shared.events.accepted(entry.message, entry.rows)

    def _tell_of(self, change: Change) -> None:
        events, message, row = self._shared.events, self._message, change.after
        if change.outcome is not None and change.route is not None:
            events.attempted(message, change.before, change.route, change.outcome)
        if row.state is State.QUEUED and row.route_index > change.before.route_index:
            events.moved(message, row, route_of(change.before), route_of(row))
        if not row.state.waits:
            events.ended(message, row)


def _why_back(row: RecipientRow) -> GiveBack:
    if not row.note:
        return _HELD_TOO_LONG
    return _RETURNED if isinstance(row.decision, Held) else _BOUNCED


def _matched(changes: Sequence[Change]) -> list[Match]:
    return [one for change in changes for one in new_notifications(change.before, change.after)]


def _settlement(changes: Sequence[Change], entries: tuple[Entry, ...]) -> Settlement:
    return Settlement(
        rows=tuple(change.after for change in changes),
        events=tuple(event for change in changes for event in change.events),
        entries=entries,
    )


def _without_report(change: Change, due_at: datetime) -> Change:
    """A recipient whose report fails waits on, and so does one held or sealed that nobody would know of.

    A notice that fails is left out, and one of a delay comes next time.
    """
    untold = newly_held(change.before, change.after) or package_of(change) is not None
    if any(purpose is Purpose.FAILED for purpose, _ in change.told) or untold:
        return replace(change, after=replace(change.before, due_at=due_at), events=(), told=())
    noticed = change.before.delay_noticed
    return replace(change, after=replace(change.after, delay_noticed=noticed), told=())


def _unreportable(change: Change) -> Change:
    """A recipient whose report could not be made in all its time ends without one, as the audit says."""
    if change.after.state is not State.REPORTED:
        return replace(change, told=())
    events = [replace(event, state=State.UNREPORTABLE) if event.state else event for event in change.events]
    return replace(change, after=replace(change.after, state=State.UNREPORTABLE), events=tuple(events), told=())


def _contact(outcomes: Sequence[Outcome | None]) -> Contact:
    """UNREACHED only if every attempt was: one answer shows that somebody is there. Our own faults show nothing."""
    tried = [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, Sealed)]
    causes = [outcome.cause if isinstance(outcome, Deferred) else None for outcome in tried]
    told = [cause for cause in causes if cause is not Cause.LOCAL]
    if not told:
        return Contact.UNTRIED
    return Contact.UNREACHED if all(cause in _UNREACHED for cause in told) else Contact.REACHED
