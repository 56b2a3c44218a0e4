"""A cache with limits, and one question at a time."""

import asyncio
from datetime import timedelta

import pytest

from gateway.net.cache import ExpiringCache, Remembered, SingleFlight
from tests.fakes.clock import SteppedClock


def test_an_entry_lives_until_its_time_and_not_at_it() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(5)
    cache.put("a", 1, 10.0)
    assert cache.get("a", 9.9) == 1
    assert cache.get("a", 10.0) is None
    assert len(cache) == 0
    assert cache.get("b", 0.0) is None


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_what_was_not_read_for_longest_makes_room(limit: int) -> None:
    cache: ExpiringCache[int, int] = ExpiringCache(limit)
    for key in range(limit):
        cache.put(key, key, 10.0)
    cache.get(0, 0.0)
    cache.put(99, 99, 10.0)
    assert len(cache) == limit
    assert cache.get(99, 0.0) == 99
    assert (cache.get(0, 0.0) is None) is (limit == 1)


async def test_all_who_ask_at_once_get_one_answer() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    gate, asked = asyncio.Event(), list[str]()

    async def ask(key: str) -> int:
        asked.append(key)
        await gate.wait()
        return len(asked)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(flights.run(key, lambda key=key: ask(key))) for key in ("a", "a", "b", "a")]
        await asyncio.sleep(0)
        gate.set()
    assert asked == ["a", "b"]
    assert [task.result() for task in tasks] == [2, 2, 2, 2]
    assert await flights.run("a", lambda: ask("again")) == 3


async def test_when_the_one_who_asks_is_cancelled_another_asks() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    gate, asked = asyncio.Event(), list[str]()

    async def ask(who: str) -> str:
        asked.append(who)
        await gate.wait()
        return who

    first = asyncio.ensure_future(flights.run("k", lambda: ask("first")))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(flights.run("k", lambda: ask("second")))
    third = asyncio.ensure_future(flights.run("k", lambda: ask("third")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    third.cancel()
    gate.set()
    assert await second == "second"
    assert asked == ["first", "second"]
    for cancelled in (first, third):
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_an_error_goes_to_the_one_who_asked_and_the_others_ask_again() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    gate = asyncio.Event()

    async def fail() -> int:
        await gate.wait()
        raise OSError

    async def work() -> int:
        return 7

    first = asyncio.ensure_future(flights.run("k", fail))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(flights.run("k", work))
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(OSError):
        await first
    assert await second == 7


async def test_an_answer_is_kept_for_as_long_as_it_says() -> None:
    clock, asked = SteppedClock(), list[int]()
    remembered: Remembered[str, int] = Remembered(clock, 10)

    async def ask() -> tuple[int, timedelta]:
        asked.append(1)
        return len(asked), timedelta(seconds=30)

    assert await remembered.get("k", ask) == 1
    await clock.advance(timedelta(seconds=29))
    assert await remembered.get("k", ask) == 1
    await clock.advance(timedelta(seconds=1))
    assert await remembered.get("k", ask) == 2
