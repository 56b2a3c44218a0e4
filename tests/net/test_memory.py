"""What is remembered of a host's STARTTLS, and for how long."""

from datetime import timedelta

import pytest

from gateway.core.tls import Starttls
from gateway.net.memory import LIFETIMES, SHOWN_FOR, TlsMemory
from tests.fakes.clock import SteppedClock

MX = "mx.example"


@pytest.mark.parametrize("seen", Starttls)
async def test_an_observation_lives_as_long_as_it_is_worth(seen: Starttls) -> None:
    clock = SteppedClock()
    memory = TlsMemory(clock)
    memory.note(MX, seen)
    assert memory.last("other.example") is None
    await clock.advance(LIFETIMES[seen] - timedelta(seconds=1))
    assert memory.last(MX) is seen
    await clock.advance(timedelta(seconds=1))
    assert memory.last(MX) is None


def test_the_lifetimes_are_in_order() -> None:
    assert LIFETIMES[Starttls.UNKNOWN] < LIFETIMES[Starttls.NO] < LIFETIMES[Starttls.YES] < SHOWN_FOR


@pytest.mark.parametrize("before", [Starttls.YES, Starttls.NO])
def test_an_unknown_does_not_displace_what_is_known(before: Starttls) -> None:
    memory = TlsMemory(SteppedClock())
    memory.note(MX, before)
    memory.note(MX, Starttls.UNKNOWN)
    assert memory.last(MX) is before


async def test_tls_once_shown_is_remembered_for_days_whatever_is_seen_then() -> None:
    clock = SteppedClock()
    memory = TlsMemory(clock)
    assert not memory.showed_tls(MX)
    memory.note(MX, Starttls.NO)
    assert not memory.showed_tls(MX)
    memory.note(MX, Starttls.YES)
    memory.note(MX, Starttls.NO)
    assert memory.last(MX) is Starttls.NO
    await clock.advance(SHOWN_FOR - timedelta(seconds=1))
    assert memory.showed_tls(MX)
    await clock.advance(timedelta(seconds=1))
    assert not memory.showed_tls(MX)
