from datetime import timedelta

from gateway.flow.options import QueueOptions
from gateway.flow.traffic import Contact, Traffic, pause
from tests.fakes.clock import START

MINUTE = timedelta(minutes=1)
NOTHING: frozenset[str] = frozenset()


def traffic(per_destination: int = 4, in_flight: int = 10) -> tuple[Traffic, list[int]]:
    """A traffic and the list that grows each time it wakes its loop."""
    woken: list[int] = []
    made = Traffic(QueueOptions(per_destination=per_destination, in_flight=in_flight))
    made.on_room.append(lambda: woken.append(1))
    return made, woken


def test_claims_are_half_of_what_one_hop_may_have_and_never_more_than_is_free() -> None:
    made, _ = traffic(per_destination=4, in_flight=3)
    assert made.room() == 2
    assert made.begin("a", START) and made.begin("b", START)
    assert made.room() == 1
    assert made.begin("c", START)
    assert made.room() == 0


def test_limit_of_one_still_lets_one_go() -> None:
    made, woken = traffic(per_destination=1, in_flight=1)
    assert made.room() == 1 and made.blocked(START) == NOTHING
    assert made.begin("a", START)
    assert not made.begin("a", START)
    assert made.room() == 0 and made.blocked(START) == {"a"}
    made.end("a", Contact.REACHED, START)
    assert made.room() == 1 and made.blocked(START) == NOTHING
    assert woken


def test_hop_is_passed_over_before_a_claim_could_overfill_it_and_wakes_when_it_is_free_again() -> None:
    made, woken = traffic(per_destination=4)
    for _ in range(2):
        assert made.begin("a", START)
    assert made.blocked(START) == NOTHING
    assert made.begin("a", START)
    assert made.blocked(START) == {"a"}
    assert made.begin("a", START)
    assert not made.begin("a", START)
    made.end("a", Contact.REACHED, START)
    assert not woken
    made.end("a", Contact.REACHED, START)
    assert woken == [1]
    assert made.blocked(START) == NOTHING


def test_standstill_ends_when_a_quarter_is_free() -> None:
    made, woken = traffic(per_destination=20, in_flight=8)
    for _ in range(8):
        assert made.begin("a", START)
    assert made.room() == 0
    made.end("a", Contact.REACHED, START)
    assert not woken
    made.end("a", Contact.REACHED, START)
    assert woken == [1]
    made.end("a", Contact.REACHED, START)
    assert woken == [1]


def test_unreached_hop_is_paused_then_tried_with_one_delivery() -> None:
    made, woken = traffic()
    assert made.begin("a", START) and made.begin("a", START)
    made.end("a", Contact.UNREACHED, START)
    assert woken, "the alarm has to be set to the end of the pause"
    first = START + pause(made.options.retry_min, 1)
    assert made.next_change(START) == first
    made.end("a", Contact.UNREACHED, START)
    assert made.next_change(START) == first, "a cohort counts once"
    assert made.blocked(START) == made.blocked(first - MINUTE / 60) == {"a"}
    assert made.blocked(first) == NOTHING
    assert not made.begin("a", START), "a place in the pause would be an attempt in vain"
    assert made.begin("a", first)
    assert not made.begin("a", first)
    assert made.blocked(first) == {"a"}
    made.end("a", Contact.UNREACHED, first)
    assert made.next_change(first) == first + pause(made.options.retry_min, 2)


def test_one_that_is_reached_again_has_all_its_places_at_once() -> None:
    made, _ = traffic()
    assert made.begin("a", START)
    made.end("a", Contact.UNREACHED, START)
    assert made.begin("a", START + 10 * MINUTE)
    made.end("a", Contact.REACHED, START + 10 * MINUTE)
    assert made.next_change(START) is None
    assert made.begin("a", START) and made.begin("a", START)


def test_what_lingers_is_bounded_by_number_and_by_what_it_holds() -> None:
    made, woken = traffic(in_flight=5000)
    for number in range(1500):
        assert made.begin(f"hop{number}", START)
    held = [made.linger(size) for size in (0, 7, 10**9)]
    assert held == [1, 7, 256 * 1024]
    assert (made.active, made.lingering) == (1497, 3)
    assert [bool(made.linger(10**9)) for _ in range(256)] == [True] * 254 + [False] * 2
    made.end("hop0", Contact.REACHED, START, held[2])
    assert made.linger(10**9) and not made.linger(10**9)
    assert len([size for size in range(1200) if made.linger(1)]) == 1000 - 257
    assert not woken


def test_our_own_fault_says_nothing_of_the_hop() -> None:
    made, _ = traffic()
    assert made.begin("a", START)
    made.end("a", Contact.UNTRIED, START)
    assert made.next_change(START) is None and made.blocked(START) == NOTHING


def test_pauses_double_up_to_the_first_retry() -> None:
    assert [pause(8 * MINUTE, n) / MINUTE for n in (1, 2, 3, 4, 5, 1000)] == [1, 2, 4, 8, 8, 8]


def test_what_is_remembered_of_dead_hops_is_bounded() -> None:
    made, _ = traffic(in_flight=5000)
    for number in range(1500):
        assert made.begin(f"hop{number}", START)
        made.end(f"hop{number}", Contact.UNREACHED, START + number * MINUTE / 60)
    assert len(made._hops) <= 1001
    assert "hop1499" in made._hops and "hop0" not in made._hops
