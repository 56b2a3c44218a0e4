"""What is remembered of a host's STARTTLS, by whom, and for how long."""

import asyncio
from datetime import timedelta

import pytest

from gateway.core.tls import Starttls
from gateway.net.memory import LIFETIMES, PAUSE, REMEMBER, WRITE_EVERY, TlsMemory
from tests.fakes.clock import SteppedClock, settle
from tests.fakes.state import MemoryState

MX = "mx.example"
SECOND = timedelta(seconds=1)


class Parts:
    """A memory, and another worker's on the same state."""

    def __init__(self, remember: timedelta = REMEMBER) -> None:
        self.clock = SteppedClock()
        self.state = CountedState(self.clock)
        self.memory = TlsMemory(self.clock, self.state, remember)
        self.other = TlsMemory(self.clock, self.state, remember)


class CountedState(MemoryState):
    """Counts what is written."""

    written = 0

    async def put_many(self, values: object, until: object) -> None:
        self.written += 1
        await super().put_many(values, until)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("seen", Starttls)
async def test_an_observation_lives_as_long_as_it_is_worth(seen: Starttls) -> None:
    it = Parts()
    it.memory.note(MX, seen)
    assert it.memory.last("other.example") is None
    await it.clock.advance(LIFETIMES[seen] - SECOND)
    assert it.memory.last(MX) is seen
    await it.clock.advance(SECOND)
    assert it.memory.last(MX) is None


def test_the_lifetimes_are_in_order() -> None:
    assert LIFETIMES[Starttls.UNKNOWN] < LIFETIMES[Starttls.NO] < LIFETIMES[Starttls.YES] < WRITE_EVERY < REMEMBER


@pytest.mark.parametrize("before", [Starttls.YES, Starttls.NO])
def test_an_unknown_does_not_displace_what_is_known(before: Starttls) -> None:
    memory = Parts().memory
    memory.note(MX, before)
    memory.note(MX, Starttls.UNKNOWN)
    assert memory.last(MX) is before


async def test_tls_once_shown_is_remembered_for_days_whatever_is_seen_then() -> None:
    it = Parts()
    assert await it.memory.shown(MX) is Starttls.NO
    it.memory.note(MX, Starttls.NO)
    assert await it.memory.shown(MX) is Starttls.NO
    it.memory.note(MX, Starttls.YES)
    it.memory.note(MX, Starttls.NO)
    assert it.memory.last(MX) is Starttls.NO
    await it.clock.advance(REMEMBER - SECOND)
    assert await it.memory.shown(MX) is Starttls.YES
    await it.clock.advance(SECOND)
    assert await it.memory.shown(MX) is Starttls.NO


async def test_what_was_written_is_known_to_all_and_outlives_the_worker_for_as_long_as_was_set() -> None:
    it = Parts(remember=timedelta(days=30))
    it.memory.note(MX, Starttls.YES)
    assert await it.other.shown(MX) is Starttls.NO
    assert await it.memory.write()
    assert await it.other.shown(MX) is Starttls.YES
    assert await it.other.shown("other.example") is Starttls.NO
    assert it.other.last(MX) is None
    await it.clock.advance(timedelta(days=30) + WRITE_EVERY - SECOND)
    assert await it.other.shown(MX) is Starttls.YES
    await it.clock.advance(SECOND)
    assert await it.other.shown(MX) is Starttls.NO


async def test_a_state_that_cannot_be_read_is_no_no() -> None:
    it = Parts()
    it.memory.note(MX, Starttls.YES)
    it.state.failing = True
    assert await it.memory.shown(MX) is Starttls.YES
    assert await it.memory.shown("other.example") is Starttls.UNKNOWN


async def test_who_wants_no_memory_has_none() -> None:
    it = Parts(remember=timedelta(0))
    it.memory.note(MX, Starttls.YES)
    assert it.memory.last(MX) is Starttls.YES
    assert await it.memory.shown(MX) is Starttls.NO
    assert await it.memory.write()
    assert it.state.written == 0


async def test_a_host_is_written_once_a_day() -> None:
    it = Parts()
    for _ in range(3):
        it.memory.note(MX, Starttls.YES)
        await it.memory.write()
        await it.clock.advance(WRITE_EVERY / 4)
    assert it.state.written == 1
    await it.clock.advance(WRITE_EVERY)
    it.memory.note(MX, Starttls.YES)
    await it.memory.write()
    assert it.state.written == 2


async def test_it_is_written_behind_the_mail_and_again_when_that_failed() -> None:
    it = Parts()
    running = asyncio.ensure_future(it.memory.run())
    await settle()
    it.state.failing = True
    it.memory.note(MX, Starttls.YES)
    await settle()
    it.state.failing = False
    assert await it.other.shown(MX) is Starttls.NO
    await it.clock.advance(PAUSE)
    assert await it.other.shown(MX) is Starttls.YES
    it.memory.note("mx2.example", Starttls.YES)
    await settle()
    assert await it.other.shown("mx2.example") is Starttls.YES
    running.cancel()
