import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.flow.ports import SpoolError
from gateway.spool import state
from gateway.spool.state import SharedState
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


async def test_exactly_one_of_many_gets_a_lease(stores: list[SharedState]) -> None:
    got = await asyncio.gather(
        *(stores[number % 2].try_lease("sweep", f"worker {number}", START + HOUR) for number in range(20))
    )
    assert got.count(True) == 1


async def test_sweep_removes_what_expired_and_what_one_part_has_too_much_of(
    stores: list[SharedState], clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "MAX_VALUES", 2)
    for hours in (1, 2, 3, 4):
        await stores[0].put(f"many/{hours}", b"", START + hours * HOUR)
    await stores[0].put("few/1", b"", START + 2 * HOUR)
    clock.time = START + HOUR
    assert await stores[0].sweep() == 2
    assert sorted(await stores[1].items("", 10)) == ["few/1", "many/3", "many/4"]
    assert await stores[0].sweep() == 0


async def test_whoever_writes_clears_away_now_and_then(
    stores: list[SharedState], clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[datetime] = []

    async def sweep() -> int:
        swept.append(clock.time)
        raise SpoolError("busy")

    monkeypatch.setattr(stores[0], "sweep", sweep)
    for minutes in (0, 30, 59, 60, 61, 130):
        clock.time = START + timedelta(minutes=minutes)
        await stores[0].put(f"{minutes}", b"kept", START + 9 * HOUR)
        assert await stores[1].get(f"{minutes}") == b"kept"
    assert swept == [START, START + HOUR, START + timedelta(minutes=130)]


async def test_a_store_that_cannot_be_used_says_so(tmp_path: Path, clock: StandingClock) -> None:
    (tmp_path / "state.db").write_bytes(b"damaged" * 5000)
    for path in (tmp_path / "state.db", tmp_path / "missing" / "state.db"):
        with pytest.raises(SpoolError, match="shared state"):
            await SharedState.open(path, clock)
