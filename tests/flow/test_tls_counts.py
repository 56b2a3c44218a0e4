"""Counts of TLS sessions on their way into the shared state: nothing is counted twice, and what is lost is known."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.tls_count import Failure, PolicyCount
from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen
from gateway.flow import tls_counts
from gateway.flow.ports import SpoolError
from gateway.flow.tls_counts import CLOSES, NoSessions, TlsCounts, ends, key_of, read_counts
from tests.fakes.carrying import Ids
from tests.fakes.clock import START, SteppedClock, settle
from tests.fakes.state import MemoryState

TODAY = START.date()
HOUR = timedelta(hours=1)


def seen(domain: str = "a.example", failure: Result | None = None, host: str = "mx.a.example") -> SessionSeen:
    return SessionSeen(
        domain=domain, applied=Applied(PolicyType.STS, domain), host=host, failure=failure, address="192.0.2.1"
    )


class World:
    """A state, a clock, and as many workers as a test wants."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.state = MemoryState(self.clock)
        self.ids = Ids()

    def worker(self) -> TlsCounts:
        return TlsCounts(self.state, self.clock, self.ids)

    async def kept(self, day: date = TODAY, domain: str = "a.example") -> list[tuple[int, int]]:
        """Good and failed sessions, by writer."""
        values = await self.state.items(key_of(day, domain), 100)
        return [_totals(read_counts(value)) for value in values.values()]


def _totals(policies: tuple[PolicyCount, ...]) -> tuple[int, int]:
    return sum(one.good for one in policies), sum(one.failed for one in policies)


async def test_counts_grow_under_one_key_for_each_writer_domain_and_day() -> None:
    world = World()
    one, other = world.worker(), world.worker()
    one.note(seen())
    one.note(seen(failure=Result.EXPIRED))
    one.note(seen("b.example"))
    other.note(seen())
    assert await world.kept() == [], "nothing is written on a message's way"
    await one.write()
    await other.write()
    one.note(seen())
    await one.write()
    await one.write()
    assert await world.kept() == [(2, 1), (1, 0)]
    assert list(await world.state.items("", 10)) == [
        "tlsrpt/2026-03-02/a.example/id-1",
        "tlsrpt/2026-03-02/a.example/id-2",
        "tlsrpt/2026-03-02/b.example/id-1",
    ]
    await world.clock.advance_to(ends(TODAY) + timedelta(days=2) - HOUR)
    assert len(await world.state.items("", 10)) == 3
    await world.clock.advance(HOUR)
    assert await world.state.items("", 10) == {}


async def test_a_value_says_all_that_a_report_needs() -> None:
    world = World()
    worker = world.worker()
    worker.note(seen(failure=Result.EXPIRED))
    await worker.write()
    (value,) = (await world.state.items("tlsrpt/", 10)).values()
    failure = Failure(Result.EXPIRED, "mx.a.example", "192.0.2.1")
    expected = PolicyCount(applied=Applied(PolicyType.STS, "a.example"), good=0, failures=((failure, 1),))
    assert read_counts(value) == (expected,)
    assert read_counts(value[:-1]) == read_counts(b"") == read_counts(b"\xff") == read_counts(b'{"a": 1}') == ()


async def test_midnight_of_utc_parts_the_days_and_a_day_that_is_written_is_forgotten() -> None:
    world = World()
    worker = world.worker()
    worker.note(seen())
    await world.clock.advance_to(ends(TODAY) - timedelta(microseconds=1))
    worker.note(seen())
    await world.clock.advance_to(ends(TODAY))
    worker.note(seen())
    await worker.write()
    assert await world.kept() == [(2, 0)]
    tomorrow = ends(TODAY).date()
    assert await world.kept(tomorrow) == [(1, 0)]
    for key in await world.state.items(key_of(TODAY), 10):
        await world.state.delete(key)
    worker.note(seen())
    await worker.write()
    assert (await world.kept(), await world.kept(tomorrow), worker.lost) == ([], [(2, 0)], 0)


async def test_what_cannot_be_written_waits_until_the_day_is_closed() -> None:
    world = World()
    worker = world.worker()
    worker.note(seen())
    world.state.failing = True
    with pytest.raises(SpoolError):
        await worker.write()
    worker.note(seen(failure=Result.EXPIRED))
    await world.clock.advance_to(ends(TODAY) + CLOSES - timedelta(seconds=1))
    with pytest.raises(SpoolError):
        await worker.write()
    world.state.failing = False
    await worker.write()
    assert (await world.kept(), worker.lost) == ([(1, 1)], 0)


async def test_what_comes_too_late_for_its_report_is_lost_and_counted() -> None:
    world = World()
    worker = world.worker()
    worker.note(seen())
    worker.note(seen(failure=Result.EXPIRED))
    await world.clock.advance_to(ends(TODAY) + CLOSES)
    worker.note(seen("b.example"))
    await worker.write()
    assert (await world.kept(), worker.lost) == ([], 2)
    assert await world.kept(ends(TODAY).date(), "b.example") == [(1, 0)]


async def test_address_without_a_domain_is_nobody_to_tell() -> None:
    world = World()
    worker = world.worker()
    worker.note(seen("[192.0.2.1]"))
    worker.note(seen())
    await worker.write()
    assert list(await world.state.items("", 10)) == ["tlsrpt/2026-03-02/a.example/id-1"]


async def test_memory_is_limited_and_what_is_beyond_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_counts, "MAX_KINDS", 3)
    world = World()
    worker = world.worker()
    for number in range(5):
        worker.note(seen(failure=Result.EXPIRED, host=f"mx{number}.example"))
    worker.note(seen("b.example"))
    assert worker.lost == 1
    await worker.write()
    assert await world.kept() == [(0, 5)]
    (value,) = (await world.state.items("", 10)).values()
    (one,) = read_counts(value)
    assert [failure.host for failure, _ in one.failures] == ["", "mx0.example", "mx1.example", "mx2.example"]
    await world.clock.advance_to(ends(TODAY))
    worker.note(seen("b.example"))
    assert worker.lost == 1, "the next day has room again"


@pytest.mark.parametrize(
    ("hosts", "policies", "kept"), [(100, 1, (1, 100)), (900, 1, (1, 6)), (900, 20, (20, 60)), (900, 40, (1, 6))]
)
async def test_value_has_as_much_detail_as_it_has_room_for(hosts: int, policies: int, kept: tuple[int, int]) -> None:
    """First places are given up, then policies: 40 of 2 KiB are too much for a value."""
    world = World()
    worker = world.worker()
    for number in range(hosts):
        applied = Applied(PolicyType.STS, "a.example", ("x" * 1900, str(number % policies)))
        result = list(Result)[number % 6]
        worker.note(SessionSeen(domain="a.example", applied=applied, host=f"mx{number}.example", failure=result))
    await worker.write()
    (value,) = (await world.state.items("", 10)).values()
    found = read_counts(value)
    assert _totals(found) == (0, hosts)
    assert (len(found), sum(len(one.failures) for one in found)) == kept


class SlowOnce(MemoryState):
    """Its first write waits until ``go``."""

    go: asyncio.Event | None = None

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        if self.go is None:
            self.go = asyncio.Event()
            await self.go.wait()
        await super().put_many(values, until)


async def test_a_slow_write_is_not_overtaken() -> None:
    world = World()
    world.state = state = SlowOnce(world.clock)
    worker = world.worker()
    worker.note(seen())
    first = asyncio.create_task(worker.write())
    await settle()
    worker.note(seen())
    second = asyncio.create_task(worker.write())
    await settle()
    assert state.go is not None
    state.go.set()
    await asyncio.gather(first, second)
    assert await world.kept() == [(2, 0)]


async def test_a_write_that_is_cut_off_is_made_up_for() -> None:
    world = World()
    world.state = SlowOnce(world.clock)
    worker = world.worker()
    worker.note(seen())
    first = asyncio.create_task(worker.write())
    await settle()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await worker.write()
    assert await world.kept() == [(1, 0)]


async def test_without_reports_nothing_is_counted() -> None:
    NoSessions().note(seen())


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from((None, *Result)), st.booleans(), st.booleans()), max_size=40)
)
def test_sum_over_writers_is_what_was_seen(steps: list[tuple[int, Result | None, bool, bool]]) -> None:
    async def run() -> None:
        world = World()
        workers = [world.worker() for _ in range(3)]
        for who, failure, writes, fails in steps:
            workers[who].note(seen(failure=failure))
            world.state.failing = fails
            try:
                if writes:
                    await workers[who].write()
            except SpoolError:
                assert fails
        world.state.failing = False
        for worker in workers:
            await worker.write()
        kept = await world.kept()
        failed = sum(failure is not None for _, failure, _, _ in steps)
        assert (sum(good for good, _ in kept), sum(bad for _, bad in kept)) == (len(steps) - failed, failed)

    asyncio.run(run())
