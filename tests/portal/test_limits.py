"""How often something may happen."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.limits import Act, Limits, place_of


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def used_up(limits: Limits, act: Act, who: str) -> int:
    """How often it may happen at once."""
    times = 0
    while limits.allows(act, who):
        times += 1
    return times


@pytest.mark.parametrize("act", Act)
def test_so_often_and_once_more_after_a_while(act: Act) -> None:
    now = Now()
    limits = Limits(now)
    assert used_up(limits, act, "a") == act.times
    assert used_up(limits, act, "b") == act.times
    now.at += act.seconds / act.times * 1.01
    assert used_up(limits, act, "a") == 1
    assert used_up(limits, act, "a") == 0
    now.at += act.again * 1.01
    assert limits.allows(act, "a")
    now.at += 10 * act.seconds
    assert used_up(limits, act, "a") == act.times


def test_acts_are_counted_apart() -> None:
    limits = Limits(Now())
    used_up(limits, Act.OPEN, "a")
    assert limits.allows(Act.CODE, "a")


def test_a_link_may_do_half_as_much_as_an_address() -> None:
    limits = Limits(Now())
    allowed = [limits.allows_link(Act.OPEN, "t" * 100_000) for _ in range(20)]
    assert allowed == [True] * 10 + [False] * 10
    assert limits.allows_link(Act.OPEN, "\udcff")


def test_however_many_there_are_few_are_remembered() -> None:
    limits = Limits(Now())
    used_up(limits, Act.CODE, "often")
    used_up(limits, Act.CODE, "once")
    for number in range(9_998):
        limits.allows(Act.CODE, f"{number}")
        if number % 100 == 0:
            assert not limits.allows(Act.CODE, "often")
    assert not limits.allows(Act.CODE, "often")
    limits.allows(Act.CODE, "one more")
    # The one that was not seen for longest is forgotten.
    assert limits.allows(Act.CODE, "once")


@given(st.lists(st.floats(0, 1000), max_size=60), st.sampled_from(Act))
def test_never_more_than_the_burst_and_the_rate(waits: list[float], act: Act) -> None:
    now = Now()
    limits, allowed = Limits(now), 0
    for wait in waits:
        now.at += wait
        allowed += limits.allows(act, "a")
    assert allowed <= act.times + (sum(waits) * act.times / act.seconds) + 0.001


@given(st.ip_addresses(v=6))
def test_of_ipv6_a_network_is_one_place(address: object) -> None:
    text = str(address)
    mapped = ip_address(text) in ip_network("::ffff:0:0/96")
    last = str(ip_network(f"{text}/64", strict=False)[-1])
    assert mapped or place_of(text) == place_of(last)


def test_places() -> None:
    assert place_of("192.0.2.1") == place_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert place_of("192.0.2.1") != place_of("192.0.2.2")
    assert place_of("2001:db8::1") != place_of("2001:db8:0:1::1")
    assert place_of("") == ""
