from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.retry import Backoff, delay, next_try
from tests.core.queued import NOW

BACKOFF = Backoff(first=timedelta(minutes=5), most=timedelta(minutes=70))


def test_waits_double_from_the_first_to_the_most() -> None:
    waits = [delay(attempts, BACKOFF, 1.0) / timedelta(minutes=1) for attempts in range(1, 8)]
    assert waits == [5, 10, 20, 40, 70, 70, 70]


def test_factor_spreads_every_wait_and_the_longest_too() -> None:
    assert delay(2, BACKOFF, 1.2) == timedelta(minutes=12)
    assert delay(30, BACKOFF, 0.9) == timedelta(minutes=63)


@given(st.integers(min_value=-1, max_value=10**9))
def test_wait_is_bounded_for_any_number_of_attempts(attempts: int) -> None:
    assert BACKOFF.first <= delay(attempts, BACKOFF, 1.0) <= BACKOFF.most
    long = Backoff(first=timedelta(days=100), most=timedelta(days=365))
    assert delay(attempts, long, 1.0) <= long.most


@given(st.integers(min_value=1, max_value=4))
def test_wait_strictly_grows_until_the_most(attempts: int) -> None:
    assert delay(attempts, BACKOFF, 1.1) < delay(attempts + 1, BACKOFF, 1.1)


def test_next_try_stops_at_the_nearest_instant_ahead() -> None:
    minute = timedelta(minutes=1)
    assert next_try(NOW, 10 * minute, ()) == NOW + 10 * minute
    assert next_try(NOW, 10 * minute, (NOW + 7 * minute, NOW + 8 * minute)) == NOW + 7 * minute
    assert next_try(NOW, 10 * minute, (NOW + 11 * minute,)) == NOW + 10 * minute
    assert next_try(NOW, 10 * minute, (NOW, NOW - minute)) == NOW + 10 * minute
