"""The real clock, ids and jitter keep what their ports promise."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.app import system
from gateway.app.system import RandomIds, RandomJitter, SystemClock


def test_now_is_aware_utc_and_monotonic_time_only_grows() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


async def test_sleeping_ends_at_the_time_and_not_before() -> None:
    clock = SystemClock()
    until = clock.now() + timedelta(milliseconds=20)
    await clock.sleep_until(until)
    assert clock.now() >= until
    await clock.sleep_until(until - timedelta(days=1))


async def test_a_long_sleep_looks_at_the_clock_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaping(SystemClock):
        """Each look is an hour later, as when somebody sets the clock."""

        looks = 0

        def now(self) -> datetime:
            self.looks += 1
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.looks)

    monkeypatch.setattr(system, "_LONGEST_NAP", timedelta(milliseconds=1))
    clock = Leaping()
    await clock.sleep_until(datetime(2026, 1, 1, 5, 30, tzinfo=UTC))
    assert clock.looks == 6


async def test_a_clock_that_is_set_back_makes_no_sleep_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    class SetBack(SystemClock):
        """Set back by a day at the second look; a minute passes between two."""

        looks = 0

        def now(self) -> datetime:
            self.looks += 1
            return datetime(2026, 1, 2 if self.looks == 1 else 1, tzinfo=UTC) + timedelta(minutes=self.looks)

        def monotonic(self) -> float:
            return self.looks * 60.0

    monkeypatch.setattr(system, "_LONGEST_NAP", timedelta(milliseconds=1))
    clock = SetBack()
    await clock.sleep_until(datetime(2026, 1, 2, 0, 6, tzinfo=UTC))
    assert clock.looks == 7


def test_ids_differ_and_jitter_stays_near_one() -> None:
    ids = RandomIds()
    assert len({ids.new() for _ in range(100)}) == 100
    factors = [RandomJitter().factor() for _ in range(200)]
    assert all(0.85 <= factor <= 1.15 for factor in factors)
    assert max(factors) > 1 > min(factors)
