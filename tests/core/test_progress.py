"""Every outcome in every situation of the clock and the chain."""

from dataclasses import replace
from datetime import datetime

import pytest

from gateway.core.decision import Held, Routed
from gateway.core.outcome import Cause, Outcome, Sealed
from gateway.core.progress import EXPIRED, Done, Ending, GiveBack, MoveOn, Notify, Retry, Transition, advance
from gateway.core.reply import Status
from gateway.core.sealing import Method, Sealing, Unlock
from tests.core.queued import DAY, DECLINED, DELIVERED, FAILED, HELD, HOUR, NOW, ROUTED, ROW, deferred

EARLY, DEADLINE, LATE = NOW + DAY, NOW + 2 * DAY, NOW + 3 * DAY
END = NOW + 5 * DAY
SOON = NOW + DAY + HOUR

OTHERS = [cause for cause in Cause if cause is not Cause.PROTECTION]
EXPIRES = GiveBack(Ending.EXPIRED, EXPIRED)
UNPROTECTED = GiveBack(Ending.UNPROTECTED, Status(5, 7, 5))
NO_WAY = GiveBack(Ending.DECLINED, Status(5, 7, 4))

SEALED = Sealed(sealing=Sealing(method=Method.PORTAL, detail="in the portal", package="p", unlock=Unlock.MAIL))

TABLE: list[tuple[Outcome, datetime, int | None, Transition]] = [
    *[(DELIVERED, at, following, Done()) for at in (EARLY, DEADLINE, END) for following in (1, None)],
    *[
        (FAILED, at, following, GiveBack(Ending.FAILED, Status(5, 1, 1)))
        for at in (EARLY, DEADLINE, END)
        for following in (1, None)
    ],
    *[(SEALED, at, following, Notify()) for at in (EARLY, DEADLINE, END) for following in (1, None)],
    (DECLINED, EARLY, 2, MoveOn(2)),
    (DECLINED, LATE, 1, MoveOn(1)),
    (DECLINED, EARLY, None, NO_WAY),
    (DECLINED, END, 1, NO_WAY),
    *[(deferred(cause), EARLY, following, Retry(SOON)) for cause in Cause for following in (1, None)],
    *[
        (deferred(cause), at, following, EXPIRES)
        for cause in OTHERS
        for at in (DEADLINE, LATE)
        for following in (1, None)
    ],
    (deferred(Cause.PROTECTION), DEADLINE, 1, MoveOn(1)),
    (deferred(Cause.PROTECTION), LATE, 2, MoveOn(2)),
    (deferred(Cause.PROTECTION), DEADLINE, None, UNPROTECTED),
    (deferred(Cause.PROTECTION), END, 1, UNPROTECTED),
]


@pytest.mark.parametrize(("outcome", "now", "following", "expected"), TABLE)
def test_transition(outcome: Outcome, now: datetime, following: int | None, expected: Transition) -> None:
    assert advance(ROW, outcome, now=now, following=following, next_try=SOON) == expected


def test_retry_is_never_past_the_deadline() -> None:
    outcome = deferred(Cause.DNS)
    assert advance(ROW, outcome, now=EARLY, following=None, next_try=LATE) == Retry(DEADLINE)
    short = replace(ROW, deadline=EARLY + HOUR / 2)
    assert advance(short, outcome, now=EARLY, following=None, next_try=SOON) == Retry(EARLY + HOUR / 2)


def test_last_moment_before_the_deadline_is_before_it() -> None:
    just_before = DEADLINE - HOUR / 3600
    assert isinstance(advance(ROW, deferred(Cause.PROTECTION), now=just_before, following=1, next_try=LATE), Retry)


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("decision", [ROUTED, HELD], ids=["sent", "released"])
def test_where_a_delay_endangers_people_the_next_route_comes_whatever_the_cause(
    decision: Routed | Held, cause: Cause
) -> None:
    hurried = replace(ROW, decision=replace(decision, patience=4 * HOUR))
    assert advance(hurried, deferred(cause), now=EARLY, following=1, next_try=SOON) == Retry(SOON)
    assert advance(hurried, deferred(cause), now=DEADLINE, following=2, next_try=SOON) == MoveOn(2)
    ended = UNPROTECTED if cause is Cause.PROTECTION else EXPIRES
    for now, following in ((DEADLINE, None), (END, 1)):
        assert advance(hurried, deferred(cause), now=now, following=following, next_try=SOON) == ended
