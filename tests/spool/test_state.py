import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.flow.ports import SpoolError
from gateway.spool import state
from gateway.spool.state import MAX_VALUE, SharedState
from tests.spool.samples import HOUR, START, StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def stores(tmp_path: Path, clock: StandingClock) -> AsyncIterator[list[SharedState]]:
    opened = [await SharedState.open(tmp_path / "state.db", clock) for _ in range(2)]
    yield opened
    for store in opened:
        await store.aclose()


async def test_a_value_is_shared_until_it_expires(stores: list[SharedState], clock: StandingClock) -> None:
    one, other = stores
    await one.put("sts/a.example", b"policy", START + HOUR)
    assert await other.get("sts/a.example") == b"policy"
    assert await other.get("sts/b.example") is None
    clock.time = START + HOUR
    assert await other.get("sts/a.example") is None


async def test_a_value_is_replaced_and_deleted(stores: list[SharedState]) -> None:
    one, other = stores
    await one.put("key", b"old", START + HOUR)
    await other.put("key", b"new", START + HOUR)
    await one.put("stays", b"it", START + HOUR)
    assert await one.get("key") == b"new"
    await one.delete("key")
    assert (await other.get("key"), await other.get("stays")) == (None, b"it")


async def test_a_value_that_is_too_large_is_refused(stores: list[SharedState]) -> None:
    await stores[0].put("key", b"x" * MAX_VALUE, START + HOUR)
    with pytest.raises(ValueError, match="64 KiB"):
        await stores[0].put("key", b"x" * (MAX_VALUE + 1), START + HOUR)


async def test_exactly_one_of_many_gets_a_lease(stores: list[SharedState]) -> None:
    got = await asyncio.gather(
        *(stores[number % 2].try_lease("sweep", f"worker {number}", START + HOUR) for number in range(20))
    )
    assert got.count(True) == 1


async def test_a_lease_is_prolonged_by_its_holder_and_taken_by_another_when_it_ran_out(
    stores: list[SharedState], clock: StandingClock
) -> None:
    one, other = stores
    assert await one.try_lease("sweep", "one", START + HOUR)
    assert await one.try_lease("sweep", "one", START + 2 * HOUR)
    assert await other.try_lease("another job", "other", START + HOUR)
    clock.time = START + HOUR
    assert not await other.try_lease("sweep", "other", START + 9 * HOUR)
    clock.time = START + 2 * HOUR
    assert await other.try_lease("sweep", "other", START + 9 * HOUR)
    assert not await one.try_lease("sweep", "one", START + 9 * HOUR)


async def test_sweep_removes_what_expired_and_what_is_too_much(
    stores: list[SharedState], clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "MAX_VALUES", 2)
    for hours in (1, 2, 3, 4):
        await stores[0].put(f"{hours}", b"", START + hours * HOUR)
    clock.time = START + HOUR
    assert await stores[0].sweep() == 2
    assert [await stores[1].get(f"{hours}") for hours in (1, 2, 3, 4)] == [None, None, b"", b""]


async def test_a_store_that_cannot_be_used_says_so(tmp_path: Path, clock: StandingClock) -> None:
    (tmp_path / "state.db").write_bytes(b"damaged" * 5000)
    for path in (tmp_path / "state.db", tmp_path / "missing" / "state.db"):
        with pytest.raises(SpoolError, match="shared state"):
            await SharedState.open(path, clock)
