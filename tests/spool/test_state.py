import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.flow.ports import SpoolError
from gateway.spool import lane, state
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
    stores: list[SharedState], clock: StandingClock, tmp_path: Path
) -> None:
    store, kept = stores[0], list[int]()
    for minutes in (0, 30, 59, 60, 61, 130):
        clock.time = START + timedelta(minutes=minutes)
        await store.put(f"{minutes}", b"over at once", clock.time)
        # Behind what was begun in the same thread.
        await store.delete("nothing")
        kept.append(_rows(tmp_path))
    assert kept == [0, 1, 2, 0, 1, 0]


def _rows(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as db:
        (count,) = db.execute("SELECT count(*) FROM items").fetchone()
    return count


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Another process writes, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def test_a_writer_that_does_not_end_holds_up_no_reader(
    monkeypatch: pytest.MonkeyPatch, clock: StandingClock, tmp_path: Path
) -> None:
    # Longer than any machine takes to answer: what is awaited here ends by the lock being given back.
    monkeypatch.setattr(lane, "BUSY", 60_000)
    monkeypatch.setattr(lane, "WITHIN", 60.0)
    store = await SharedState.open(tmp_path / "state.db", clock)
    await _put_before(store)
    with _locked(tmp_path):
        write = asyncio.create_task(store.put("after", b"", START + HOUR))
        assert await store.get("before") == b"value"
        assert await store.get_many(["before"]) == await store.items("", 10) == {"before": b"value"}
        assert not write.done()
    await write
    assert list(await store.items("", 10)) == ["after", "before"]
    await store.aclose()


async def test_a_writer_that_does_not_end_holds_up_every_other_writer_briefly(
    stores: list[SharedState], clock: StandingClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "WITHIN", 60.0)  # The lock's own end comes first on any machine.
    store = stores[0]
    await _put_before(store)
    with _locked(tmp_path):
        writes = [asyncio.create_task(store.put(f"{number}", b"", START + HOUR)) for number in range(20)]
        failed = [str(answer) for answer in await asyncio.gather(*writes, return_exceptions=True)]
    assert "locked" in failed[0]
    assert failed[1:] == ["the shared state cannot be used: it failed a moment ago"] * 19
    clock.time += timedelta(seconds=lane.REST) - timedelta(microseconds=1)
    with pytest.raises(SpoolError, match="a moment ago"):
        await store.try_lease("work", "holder", START + HOUR)
    clock.time += timedelta(microseconds=1)
    assert await store.try_lease("work", "holder", START + HOUR)
    assert await store.put_if_absent("after", b"value", START + HOUR) == b"value"
    assert list(await stores[1].items("", 10)) == ["after", "before"]


async def _put_before(store: SharedState) -> None:
    """Until the clearing away that the first value begins is over too: it would meet the lock instead of the others."""
    await store.put("before", b"value", START + HOUR)
    await store.delete("nothing")


async def test_a_key_that_is_no_text_stops_nobody(stores: list[SharedState]) -> None:
    with pytest.raises(SpoolError):
        await stores[0].put_many({"good": b"", "\ud800": b""}, START + HOUR)
    await stores[1].put("other", b"", START + HOUR)
    await stores[0].put("own", b"", START + HOUR)
    assert list(await stores[0].items("", 10)) == ["other", "own"]


async def test_a_store_that_cannot_be_used_says_so(tmp_path: Path, clock: StandingClock) -> None:
    (tmp_path / "state.db").write_bytes(b"damaged" * 5000)
    for path in (tmp_path / "state.db", tmp_path / "missing" / "state.db"):
        with pytest.raises(SpoolError, match="shared state"):
            await SharedState.open(path, clock)
