"""One connection with a thread of its own: every question has an end, however long the thread is held up."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.flow.ports import SpoolError
from gateway.spool import lane
from gateway.spool.lane import Lane
from tests.spool.samples import StandingClock


class Held:
    """Work that lasts until it is let go, and work that says that it was done."""

    def __init__(self, opened: Lane) -> None:
        self.lane = opened
        self.done: list[int] = []
        self.go = threading.Event()

    def stand(self, db: sqlite3.Connection) -> None:
        self.go.wait(30)

    async def ask(self, number: int) -> int:
        return await self.lane.ask(lambda _: self.done.append(number) or number)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def held(tmp_path: Path, clock: StandingClock) -> AsyncIterator[Held]:
    made = Held(await Lane.open(tmp_path / "some.db", "", clock))
    yield made
    made.go.set()
    await made.lane.aclose()


async def test_nobody_waits_longer_than_the_limit_and_what_came_too_late_is_not_done(
    held: Held, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = held.lane.begin(held.stand)
    with monkeypatch.context() as short:
        short.setattr(lane, "WITHIN", 0.05)
        with pytest.raises(SpoolError, match="no answer"):
            await held.ask(1)
    with pytest.raises(SpoolError, match="a moment ago"):
        await held.ask(0)
    clock.time += timedelta(seconds=lane.REST)
    later = asyncio.create_task(held.ask(2))
    await asyncio.sleep(0)
    held.go.set()
    assert await later == 2
    await standing
    assert held.done == [2]


async def test_what_waits_is_limited_and_its_places_come_back(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 2)
    standing = held.lane.begin(held.stand)
    second = asyncio.create_task(held.ask(2))
    await asyncio.sleep(0)
    with pytest.raises(SpoolError, match="too much waits"):
        await held.ask(3)
    held.go.set()
    await asyncio.wait({standing, second})
    assert [await held.ask(number) for number in (4, 5, 6)] == [4, 5, 6]
    assert held.done == [2, 4, 5, 6]


async def test_behind_a_failure_nothing_is_tried_for_a_while(held: Held, clock: StandingClock) -> None:
    with pytest.raises(SpoolError, match="no such table"):
        await held.lane.ask(lambda db: db.execute("SELECT * FROM missing"))
    for passed, done in ((0.0, False), (0.9, False), (0.1, True)):
        clock.time += timedelta(seconds=passed)
        if done:
            assert await held.ask(1) == 1
            continue
        with pytest.raises(SpoolError, match="a moment ago"):
            await held.ask(0)
    assert held.done == [1]


async def test_one_who_went_away_leaves_no_place_taken(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 2)
    standing = held.lane.begin(held.stand)
    gone = asyncio.create_task(held.lane.ask(lambda db: db.execute("SELECT * FROM missing")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    with pytest.raises(SpoolError, match="too much waits"):
        await held.ask(1)
    held.go.set()
    await standing
    with pytest.raises(SpoolError, match="a moment ago"):
        await held.ask(2)
