"""What an attempt's outcome means for its recipient: done, again later, the next route, or back to the sender.

All failure policy stands here (design: route chain). The caller has worked out the instants and the route that could
follow; nothing is decided by a transport, and nothing here knows one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias, assert_never

from gateway.core.decision import Held, Routed
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.record import RecipientRow
from gateway.core.reply import Status

EXPIRED: Final = Status(4, 4, 7)
"""Delivery time expired (RFC 3463 section 3.5); class 4, because sending again later may succeed."""
NOT_RELEASED: Final = Status(5, 7, 1)


class Ending(Enum):
    """Why a message goes back; the report finds its words by it."""

    REFUSED = "refused by a rule"
    FAILED = "it cannot be delivered"
    DECLINED = "no route can protect it"
    UNPROTECTED = "protection was never obtained"
    EXPIRED = "time is over"
    NOT_RELEASED = "nobody released it"
    RETURNED = "a person gave it back"
    BOUNCED = "an operator gave it back"


@dataclass(frozen=True, slots=True)
class Done:
    """The next hop has it."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Sealed; its end is what comes of the notification."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The same route again, at ``due_at``."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class MoveOn:
    """The route at ``index`` of the chain, at once."""

    index: int


@dataclass(frozen=True, slots=True)
class GiveBack:
    """To the sender, with this status."""

    ending: Ending
    status: Status


Transition: TypeAlias = Done | Notify | Retry | MoveOn | GiveBack


def advance(
    row: RecipientRow, outcome: Outcome, *, now: datetime, following: int | None, next_try: datetime
) -> Transition:
    """The one transition that ``outcome``, obtained at ``now``, causes.

    ``following`` is the next route of the chain that gives the floor, None after the last. A deadline is looked at
    only here, after an attempt: every recipient is tried once more at its deadline, and at least once on every route.
    """
    match outcome:
        case Delivered():
            return Done()
        case Sealed():
            return Notify()
        case Failed():
            return GiveBack(Ending.FAILED, outcome.status)
        case Declined():
            if following is None or now >= row.expires_at:
                return GiveBack(Ending.DECLINED, outcome.status)
            return MoveOn(following)
        case Deferred():
            return _deferred(row, outcome, now, following, next_try)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(outcome)


def _deferred(
    row: RecipientRow, outcome: Deferred, now: datetime, following: int | None, next_try: datetime
) -> Transition:
    if now < row.deadline:
        return Retry(min(next_try, row.deadline))
    if outcome.cause is not Cause.PROTECTION and not (_hurried(row) and following is not None and now < row.expires_at):
        return GiveBack(Ending.EXPIRED, EXPIRED)
    if following is None or now >= row.expires_at:
        return GiveBack(Ending.UNPROTECTED, outcome.status.permanent())
    return MoveOn(following)


def _hurried(row: RecipientRow) -> bool:
    """Whether a delay endangers people at the recipient's: the next route is better than a report."""
    return isinstance(row.decision, Routed | Held) and row.decision.patience is not None
