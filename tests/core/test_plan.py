from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.conditions.message import ClassificationIs
from gateway.core.decision import Decision, Instead
from gateway.core.plan import HELD_BY_OPERATOR, OPEN_FOR, Planner, chain_of, left_out
from gateway.core.policy import Reject
from gateway.core.record import State
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Protection
from tests.core.queued import DAY, HELD, HOUR, NOW, OPEN, REFUSED, ROUTED, recipient
from tests.fixtures import build

TO = recipient("gp@x.example")


class Table:
    """Routes from a table; their next hop names both parts."""

    def __init__(self, *routes: Route) -> None:
        self.routes = {route.name: route for route in routes}

    def route(self, name: str) -> Route | None:
        return self.routes.get(name)

    def next_hop(self, name: str, domain: str) -> str:
        return f"{name}:{domain}"


def route(name: str, demands: Channel = Channel.PKIX, hours: int | None = None) -> Route:
    limit = timedelta(hours=hours) if hours is not None else None
    return Route(name=name, transport="mx", demands=demands, give_up_after=limit)


WAYS = Table(
    route("tls", Channel.ENCRYPTED, hours=48),
    route("secure", hours=24),
    replace(route("encrypted"), declared=Declared.SEALED),
)
PLANNER = Planner(WAYS, max_age=5 * DAY, hold_max=3 * DAY)


def test_routed_recipient_is_due_at_once_with_both_its_ends() -> None:
    row = PLANNER.start(4, TO, ROUTED, NOW)
    assert (row.number, row.recipient, row.state, row.route_index) == (4, TO, State.QUEUED, 0)
    assert (row.entered_at, row.due_at, row.next_hop) == (NOW, NOW, "tls:x.example")
    assert (row.deadline, row.expires_at) == (NOW + 48 * HOUR, NOW + 5 * DAY)


def test_route_without_limit_of_its_own_ends_with_the_queue() -> None:
    row = PLANNER.start(0, TO, replace(ROUTED, chain=("encrypted",)), NOW)
    assert row.deadline == row.expires_at == NOW + 5 * DAY


def test_route_that_is_longer_than_the_queue_ends_with_the_queue() -> None:
    row = Planner(WAYS, max_age=DAY, hold_max=DAY).start(0, TO, ROUTED, NOW)
    assert row.deadline == row.expires_at == NOW + DAY


def test_route_that_is_unknown_ends_with_the_queue() -> None:
    row = PLANNER.start(0, TO, replace(ROUTED, chain=("gone",)), NOW)
    assert (row.state, row.next_hop, row.deadline) == (State.QUEUED, "gone:x.example", NOW + 5 * DAY)


def test_refused_recipient_has_ended() -> None:
    row = PLANNER.start(0, TO, REFUSED, NOW)
    assert row.state is State.REFUSED
    assert not row.state.waits


def test_held_recipient_has_one_timer() -> None:
    row = PLANNER.start(0, TO, HELD, NOW)
    assert (row.state, row.due_at, row.deadline, row.next_hop) == (State.HELD, NOW + 3 * DAY, NOW + 3 * DAY, "held")


def test_open_recipient_is_due_at_once_for_48_hours() -> None:
    row = PLANNER.start(0, TO, OPEN, NOW)
    assert (row.state, row.due_at, row.deadline) == (State.OPEN, NOW, NOW + OPEN_FOR)
    assert row.next_hop == "open:x.example"
    short = Planner(WAYS, max_age=DAY, hold_max=DAY).start(0, TO, OPEN, NOW)
    assert short.deadline == NOW + DAY


def test_open_recipient_that_is_decided_late_keeps_the_time_of_its_acceptance() -> None:
    row = PLANNER.place(PLANNER.start(0, TO, OPEN, NOW), ROUTED, NOW + 50 * HOUR)
    assert (row.state, row.due_at) == (State.QUEUED, NOW + 50 * HOUR)
    assert (row.entered_at, row.deadline) == (NOW, NOW + 48 * HOUR)


def test_later_route_has_its_time_from_its_entering() -> None:
    first = replace(PLANNER.start(0, TO, ROUTED, NOW), first_handshake_failure=NOW)
    row = PLANNER.move(first, 1, NOW + 48 * HOUR)
    assert (row.route_index, row.next_hop, row.due_at) == (1, "secure:x.example", NOW + 48 * HOUR)
    assert (row.entered_at, row.deadline) == (NOW + 48 * HOUR, NOW + 72 * HOUR)
    assert row.first_handshake_failure is None
    assert row.expires_at == NOW + 5 * DAY


def test_released_recipient_enters_its_route_and_the_hold_does_not_age_it() -> None:
    row = PLANNER.release(PLANNER.start(0, TO, HELD, NOW), NOW + 2 * DAY)
    assert (row.state, row.next_hop, row.due_at) == (State.QUEUED, "tls:x.example", NOW + 2 * DAY)
    assert (row.deadline, row.expires_at) == (NOW + 2 * DAY + 48 * HOUR, NOW + 7 * DAY)
    assert row.decision == HELD


def test_what_an_operator_held_goes_on_where_it_stood_and_does_not_age_meanwhile() -> None:
    moved = PLANNER.move(PLANNER.start(0, TO, ROUTED, NOW), 1, NOW + HOUR)
    held = PLANNER.hold(moved, NOW + 2 * HOUR)
    assert (held.state, held.next_hop, held.route_index) == (State.HELD, HELD_BY_OPERATOR, 1)
    assert held.deadline == held.due_at == NOW + 2 * HOUR + 3 * DAY
    row = PLANNER.release(held, NOW + 5 * HOUR)
    assert (row.state, row.next_hop, row.expires_at) == (State.QUEUED, "secure:x.example", NOW + 5 * DAY + 3 * HOUR)


def test_an_open_recipient_that_was_held_is_due_and_open_again() -> None:
    row = PLANNER.release(PLANNER.hold(PLANNER.start(0, TO, OPEN, NOW), NOW), NOW + DAY)
    assert (row.state, row.next_hop, row.due_at) == (State.OPEN, "open:x.example", NOW + DAY)
    assert row.deadline == NOW + DAY + OPEN_FOR


SEALED = replace(ROUTED, floor=Protection.SEALED, chain=("encrypted",), without=("it was too large",))


@pytest.mark.parametrize(
    ("decision", "name", "possible"),
    [
        (ROUTED, "secure", True),
        (HELD, "secure", True),
        (ROUTED, "missing", False),
        (SEALED, "secure", False),
        (SEALED, "encrypted", True),
        (OPEN, "secure", False),
    ],
)
def test_another_route_is_taken_if_it_can_give_the_floor(decision: Decision, name: str, possible: bool) -> None:
    before = PLANNER.start(0, TO, decision, NOW)
    row = PLANNER.reroute(before, name, NOW + HOUR)
    assert (row is not None) is possible
    if row is not None:
        assert chain_of(row.decision) == (name,)
        assert (row.decision.floor, row.state, row.expires_at) == (decision.floor, before.state, before.expires_at)
        assert row.next_hop == ("held" if before.state is State.HELD else f"{name}:x.example")


@pytest.mark.parametrize(("decision", "chain"), [(ROUTED, ROUTED.chain), (HELD, ("tls",)), (REFUSED, ()), (OPEN, ())])
def test_chain_of_each_decision(decision: Decision, chain: tuple[str, ...]) -> None:
    assert chain_of(decision) == chain


def test_following_is_the_next_route_that_gives_the_floor() -> None:
    row = PLANNER.start(0, TO, ROUTED, NOW)
    assert PLANNER.following(row, ()) == 1
    sealed = replace(row, decision=replace(ROUTED, floor=Protection.SEALED))
    assert PLANNER.following(sealed, ()) == 2
    assert PLANNER.following(replace(row, route_index=2), ()) is None


def test_following_never_takes_a_route_of_an_earlier_pass_again() -> None:
    row = PLANNER.start(0, TO, ROUTED, NOW)
    assert PLANNER.following(row, ("secure",)) == 2
    assert PLANNER.following(row, ("secure", "encrypted")) is None


def test_route_that_vanished_is_not_passed_over() -> None:
    row = PLANNER.start(0, TO, replace(ROUTED, chain=("tls", "gone", "encrypted")), NOW)
    assert PLANNER.following(row, ()) == 1


def test_patience_shortens_every_route_but_the_last() -> None:
    hurried = replace(ROUTED, chain=("tls", "secure", "encrypted"), patience=4 * HOUR)
    row = PLANNER.start(0, TO, hurried, NOW)
    assert row.deadline == NOW + 4 * HOUR
    assert PLANNER.move(row, 1, NOW + HOUR).deadline == NOW + 5 * HOUR
    assert PLANNER.move(row, 2, NOW + HOUR).deadline == row.expires_at
    patient = replace(hurried, patience=30 * HOUR)
    assert PLANNER.start(0, TO, patient, NOW).deadline == NOW + 30 * HOUR
    assert PLANNER.move(PLANNER.start(0, TO, patient, NOW), 1, NOW).deadline == NOW + 24 * HOUR


def test_patience_holds_once_a_held_recipient_is_released() -> None:
    held = replace(HELD, chain=("tls", "encrypted"), patience=4 * HOUR)
    row = PLANNER.release(PLANNER.start(0, TO, held, NOW), NOW + DAY)
    assert row.deadline == NOW + DAY + 4 * HOUR
    assert PLANNER.move(row, 1, NOW + 2 * DAY).deadline == row.expires_at


def test_patience_holds_on_a_route_without_limit_of_its_own_and_not_for_an_only_one() -> None:
    assert PLANNER.start(0, TO, replace(ROUTED, chain=("encrypted", "tls"), patience=HOUR), NOW).deadline == NOW + HOUR
    assert PLANNER.start(0, TO, replace(ROUTED, chain=("tls",), patience=HOUR), NOW).deadline == NOW + 48 * HOUR


def test_route_that_fell_out_when_it_was_decided_is_named() -> None:
    when = ClassificationIs(frozenset({"public"}))
    policy = build.policy(
        build.rule("Sends", when, "encrypted tls"),
        build.rule("Rejects", when, Reject()),
        build.rule("Last", None, "tls"),
    )
    later = replace(ROUTED, rule="Sends", chain=("tls",))
    assert left_out(later, policy) == "encrypted"
    assert left_out(replace(later, chain=("encrypted", "tls")), policy) == ""
    assert left_out(replace(later, rule="Last"), policy) == ""
    assert left_out(replace(later, rule="Rejects"), policy) == ""
    assert left_out(replace(later, rule="gone since"), policy) == ""
    assert left_out(HELD, policy) == ""
    observed = Instead(rule="Sends", action="route", chain=("encrypted",), floor=Protection.SEALED)
    assert left_out(replace(later, instead=observed), policy) == ""
