"""What an attempt changes: each recipient's new row, its audit events, and what its sender has to hear.

`core.progress` says what an outcome means; here that becomes a record. Nothing is stored here and nothing waits.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from gateway.core.chronicle import route_of, row_event
from gateway.core.conditions.base import sender_of
from gateway.core.modes import Mode, in_force
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.plan import Planner
from gateway.core.progress import EXPIRED, Done, Ending, GiveBack, MoveOn, Notify, Retry, Transition, advance
from gateway.core.record import Event, EventKind, Message, RecipientRow, State
from gateway.core.reply import Status
from gateway.core.report import Item, Purpose, Told, answers, item_of, wished
from gateway.core.retry import delay, next_try
from gateway.core.route import Route
from gateway.core.tls import Protection
from gateway.flow.shared import Shared

_RELAYED: Final = Status(2, 0, 0)
_AFTER_NOTIFICATION: Final = timedelta(hours=1)
"""How much longer than a notification may take its recipient waits for what came of it."""
_PENDING_HOP: Final = "pending"
"""How the next hop begins of recipients that wait for their notification: nothing is delivered to it.

Each has a hop of its own, because rows under another's lease could not be told what came of theirs.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row's outcome, and the route it was obtained on; None if there was no route to try."""

    row: RecipientRow
    route: Route | None
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row, ``before`` and ``after``; ``told`` is what its sender hears.

    ``outcome`` is None without an attempt, ``route`` also where there was no route to try.
    """

    before: RecipientRow
    after: RecipientRow
    route: Route | None = None
    outcome: Outcome | None = None
    events: tuple[Event, ...] = ()
    told: tuple[Told, ...] = ()


class Settling:
    """Makes changes for one message."""

    def __init__(self, shared: Shared, message: Message) -> None:
        self._message = message
        self._planner: Planner = shared.planner
        self._queue = shared.queue
        self._backoff = shared.backoff
        self._factor = shared.jitter.factor
        self._answers = answers(message)
        self._rollouts = (*shared.book.current.rollouts, *shared.rollouts())

    def attempted(self, attempt: Attempt, now: datetime) -> Change:
        """An outcome obtained just now."""
        row, outcome = attempt.row, self._softened(attempt, now)
        tried = replace(row, attempts=row.attempts + 1, last=outcome)
        if isinstance(outcome, Deferred) and outcome.handshake_failed and row.first_handshake_failure is None:
            tried = replace(tried, first_handshake_failure=now)
        transition = advance(
            tried,
            outcome,
            now=now,
            following=self._planner.following(tried, self._message.taken),
            next_try=self.next_try(tried, now),
        )
        event = row_event(self._message, tried, EventKind.ATTEMPT, now)
        change = self._apply(tried, transition, now)
        return replace(change, before=row, route=attempt.route, outcome=outcome, events=(event, *change.events))

    def _softened(self, attempt: Attempt, now: datetime) -> Outcome:
        """While a soft mode covers the recipient, what is refused for good is tried again like a refusal for now."""
        outcome, facts = attempt.outcome, self._message.facts
        if not isinstance(outcome, Failed) or facts is None or not self._rollouts:
            return outcome
        rollout = in_force(self._rollouts, now, attempt.row.decision.rule, sender_of(facts))
        if rollout is None or rollout.mode is not Mode.SOFT:
            return outcome
        return Deferred(
            cause=Cause.REPLY_4XX,
            status=Status(4, outcome.status.subject, outcome.status.detail),
            detail=outcome.detail,
            remote=outcome.remote,
            evidence=outcome.evidence,
        )

    def given_back(self, row: RecipientRow, back: GiveBack, now: datetime) -> Change:
        """A recipient whose mail goes back, with a report if its sender is one who gets any."""
        reported = self._answers and wished(row.recipient, Purpose.FAILED)
        after = replace(row, state=State.REPORTED if reported else State.UNREPORTABLE)
        told = ((Purpose.FAILED, self._item(row, back.status, now, ending=back)),) if reported else ()
        return Change(before=row, after=after, events=(self._ended(after, now, back.ending.value),), told=told)

    def again(self, row: RecipientRow, due_at: datetime, now: datetime, status: Status) -> Change:
        """A recipient that goes on waiting; its sender hears of that once, if the message is a protected one."""
        after = replace(row, due_at=due_at)
        if not self._wants_notice(row) or now < self._notice_at():
            return Change(before=row, after=after)
        item = self._item(row, status, now, until=row.deadline)
        return Change(before=row, after=replace(after, delay_noticed=True), told=((Purpose.DELAYED, item),))

    def next_try(self, row: RecipientRow, now: datetime) -> datetime:
        """When a recipient that was just tried is due again, if it has to be."""
        instants = (row.deadline, self._notice_at()) if self._wants_notice(row) else (row.deadline,)
        return next_try(now, delay(row.attempts, self._backoff, self._factor()), instants)

    def _apply(self, row: RecipientRow, transition: Transition, now: datetime) -> Change:
        match transition:
            case Done():
                return self._ended_well(row, State.DELIVERED, now)
            case Notify():
                until = now + self._queue.max_age + _AFTER_NOTIFICATION
                hop = f"{_PENDING_HOP}:{row.number}"
                waiting = replace(row, state=State.PENDING, next_hop=hop, deadline=until, due_at=until)
                return Change(before=row, after=waiting)
            case Retry():
                status = row.last.status if isinstance(row.last, Deferred) else Status(4, 0, 0)
                return self.again(row, transition.due_at, now, status)
            case MoveOn():
                after = self._planner.move(row, transition.index, now)
                text = f"from {route_of(row)}"
                return Change(before=row, after=after, events=(self._event(after, EventKind.MOVED, now, text),))
            case GiveBack():
                return self.given_back(row, transition, now)
            case _:  # pragma: no cover - the type checker proves that there is no other.
                assert_never(transition)

    def notified(self, row: RecipientRow, now: datetime) -> Change:
        """A sealed recipient whose notification has ended, or that waited for it too long."""
        match row.notified:
            case Delivered():
                return self._ended_well(row, State.SEALED, now)
            case Failed() | Declined():
                back = GiveBack(Ending.FAILED, row.notified.status)
            case Deferred() | Sealed() | None:
                back = GiveBack(Ending.EXPIRED, EXPIRED)
            case _:  # pragma: no cover - the type checker proves that there is no other.
                assert_never(row.notified)
        told = self.given_back(replace(row, last=row.notified or row.last), back, now)
        return replace(told, before=row)

    def _ended_well(self, row: RecipientRow, state: State, now: datetime) -> Change:
        """Of a message that is sealed its sender has heard already, by which route and how it is opened."""
        after = replace(row, state=state)
        told: list[Told] = []
        relayed_dsn = isinstance(row.last, Delivered) and row.last.relayed_dsn
        if self._answers and wished(row.recipient, Purpose.RELAYED) and not relayed_dsn:
            told.append((Purpose.RELAYED, self._item(row, _RELAYED, now)))
        later = row.route_index > 0 or bool(row.left_out)
        if self._answers and later and state is State.DELIVERED and wished(row.recipient, Purpose.MOVED):
            told.append((Purpose.MOVED, self._item(row, _RELAYED, now)))
        return Change(before=row, after=after, events=(self._ended(after, now, ""),), told=tuple(told))

    def _wants_notice(self, row: RecipientRow) -> bool:
        protected = row.decision.floor > Protection.NONE
        return protected and self._answers and not row.delay_noticed and wished(row.recipient, Purpose.DELAYED)

    def _notice_at(self) -> datetime:
        return self._message.accepted_at + self._queue.notice_after

    def _item(
        self,
        row: RecipientRow,
        status: Status,
        now: datetime,
        *,
        ending: GiveBack | None = None,
        until: datetime | None = None,
    ) -> Item:
        return replace(
            item_of(row, status),
            ending=ending.ending if ending is not None else None,
            attempted_at=now if row.last is not None else None,
            until=until,
            route=route_of(row),
        )

    def _ended(self, row: RecipientRow, now: datetime, text: str) -> Event:
        return self._event(row, EventKind.ENDED, now, text)

    def _event(self, row: RecipientRow, kind: EventKind, now: datetime, text: str) -> Event:
        return row_event(self._message, row, kind, now, text)
