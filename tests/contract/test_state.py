"""The contract of `gateway.flow.ports.StateStore`, over every implementation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.flow.ports import StateStore
from gateway.spool.state import SharedState
from tests.fakes.state import MemoryState
from tests.spool.samples import HOUR, START, StandingClock

LATER = START + HOUR


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture(params=["sqlite", "memory"])
async def state(request: pytest.FixtureRequest, tmp_path: Path, clock: StandingClock) -> AsyncIterator[StateStore]:
    if request.param == "memory":
        yield MemoryState(clock)
        return
    opened = await SharedState.open(tmp_path / "state.db", clock)
    yield opened
    await opened.aclose()


async def test_a_value_is_there_until_its_time_and_not_at_it(state: StateStore, clock: StandingClock) -> None:
    await state.put("part/key", b"value", LATER)
    clock.time = LATER - timedelta(microseconds=1)
    assert await state.get("part/key") == b"value"
    assert await state.get("part/other") is None
    clock.time = LATER
    assert await state.get("part/key") is None
    assert await state.get_many(["part/key"]) == {}
    assert await state.items("part/", 10) == {}


async def test_a_later_value_replaces_the_first_with_its_time(state: StateStore, clock: StandingClock) -> None:
    await state.put("key", b"first", LATER)
    await state.put("key", b"second", LATER + HOUR)
    await state.put("stays", b"it", LATER + HOUR)
    clock.time = LATER
    assert await state.get("key") == b"second"
    await state.delete("key")
    await state.delete("never there")
    assert (await state.get("key"), await state.get("stays")) == (None, b"it")


async def test_many_are_asked_for_at_once_and_only_those_that_are_there_come(state: StateStore) -> None:
    await state.put_many({"a": b"1", "b": b"", "c'\"%": b"\x00\xff"}, LATER)
    assert await state.get_many(["c'\"%", "b", "nobody"]) == {"b": b"", "c'\"%": b"\x00\xff"}
    assert await state.get_many([]) == {}
    await state.put_many({}, LATER)


async def test_items_are_those_of_a_prefix_in_order_and_not_too_many(state: StateStore) -> None:
    await state.put_many({key: key.encode() for key in ("b/2", "a/9", "b/1", "b", "b/3", "b0", "bb/1")}, LATER)
    assert list((await state.items("b/", 10)).items()) == [("b/1", b"b/1"), ("b/2", b"b/2"), ("b/3", b"b/3")]
    assert list(await state.items("b/", 2)) == ["b/1", "b/2"]
    assert await state.items("c/", 10) == {}


async def test_the_first_of_several_holds_until_it_has_expired(state: StateStore, clock: StandingClock) -> None:
    got = await asyncio.gather(*(state.put_if_absent("once", f"{n}".encode(), LATER) for n in range(10)))
    assert len(set(got)) == 1
    assert await state.put_if_absent("once", b"too late", LATER + HOUR) == got[0]
    clock.time = LATER
    assert await state.put_if_absent("once", b"again", LATER + HOUR) == b"again"
    assert await state.get("once") == b"again"


async def test_a_value_of_64_kib_is_kept_and_a_byte_more_is_not(state: StateStore) -> None:
    most = b"x" * 65536
    await state.put("a", most, LATER)
    await state.put_many({"b": most}, LATER)
    assert await state.put_if_absent("c", most, LATER) == most
    for attempt in (
        state.put("a", most + b"x", LATER),
        state.put_many({"new": b"", "b": most + b"x"}, LATER),
        state.put_if_absent("d", most + b"x", LATER),
    ):
        with pytest.raises(ValueError, match="64 KiB"):
            await attempt
    assert await state.get_many(["a", "b", "c", "d", "new"]) == {"a": most, "b": most, "c": most}


async def test_a_lease_has_one_holder_until_it_ran_out(state: StateStore, clock: StandingClock) -> None:
    got = await asyncio.gather(*(state.try_lease("job", f"worker {n}", LATER) for n in range(10)))
    assert got.count(True) == 1
    holder = f"worker {got.index(True)}"
    assert await state.try_lease("job", holder, LATER + HOUR)
    assert await state.try_lease("another job", "other", LATER)
    clock.time = LATER
    assert not await state.try_lease("job", "other", LATER + 9 * HOUR)
    clock.time = LATER + HOUR
    assert await state.try_lease("job", "other", LATER + 9 * HOUR)
    assert not await state.try_lease("job", holder, LATER + 9 * HOUR)
