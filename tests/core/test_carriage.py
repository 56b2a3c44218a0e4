"""What may stay with an MTA in front of us, and what it could not carry."""

from dataclasses import replace
from typing import Final

import pytest

from gateway.core.carriage import may_stay, needs_no_protection, why_not_carried
from gateway.core.decision import Decision, Held, Instead, Open, Refused, Routed
from gateway.core.edits import Add
from gateway.core.effects import Effects, Notification, Point
from gateway.core.mapping import Suffixes
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Protection

PLAIN: Final = Route(name="plain", transport="mx", demands=Channel.PLAIN)
ROUTES: Final = {
    route.name: route
    for route in (
        PLAIN,
        replace(PLAIN, name="tls", demands=Channel.ENCRYPTED),
        replace(PLAIN, name="authentic", authentic=True),
        replace(PLAIN, name="marked", add_header=(("X-A", "b"),)),
        replace(PLAIN, name="grown", suffixes=Suffixes(recipient=".cjsm.net")),
        replace(PLAIN, name="host", transport="smarthost"),
        replace(PLAIN, name="inside", transport="smarthost", declared=Declared.INTERNAL),
        replace(PLAIN, name="portal", transport="portal", declared=Declared.SEALING),
        replace(PLAIN, name="wrapped", declared=Declared.SEALED),
    )
}


def routed(name: str, floor: Protection = Protection.NONE, effects: Effects | None = None) -> Routed:
    return Routed(
        rule="R",
        chain=(name, "portal"),
        floor=floor,
        original_floor=floor,
        reason="",
        advice="",
        effects=effects or Effects(),
    )


OBSERVED: Final = replace(routed("plain"), instead=Instead(rule="R", action="hold", chain=(), floor=Protection.SEALED))
POINT: Final = Point("R", "because", "do")
NOTIFICATION: Final = Notification("R", "dpo@council.example", "because")


@pytest.mark.parametrize(
    ("decision", "stays"),
    [
        (routed("plain"), True),
        (routed("plain", Protection.ENCRYPTED), False),
        (routed("inside"), False),
        (routed("tls"), False),
        (routed("authentic"), False),
        (routed("marked"), False),
        (routed("grown"), False),
        (routed("host"), False),
        (routed("portal"), False),
        (routed("wrapped"), False),
        (routed("gone"), False),
        (OBSERVED, False),
        (Refused(rule="R", floor=Protection.NONE, reason="", advice=""), False),
        (Held(rule="R", chain=("plain",), floor=Protection.NONE, reason="", advice=""), False),
        (Open(rule="R", missing=(), floor=Protection.NONE, reason="", advice=""), False),
    ],
)
def test_only_what_asks_for_nothing_may_stay(decision: Decision, stays: bool) -> None:
    assert needs_no_protection(decision, ROUTES, inside=False) is stays
    assert may_stay(decision, ROUTES, inside=False) is stays


@pytest.mark.parametrize("floor", [Protection.NONE, Protection.SEALED])
def test_an_internal_route_stays_only_for_a_domain_of_ours(floor: Protection) -> None:
    decision = routed("inside", floor)
    for inside in (True, False):
        assert may_stay(decision, ROUTES, inside=inside) is inside
        assert why_not_carried(decision, ROUTES, inside=inside) == ("" if inside else "send it by the route inside")
    assert not may_stay(routed("plain", Protection.ENCRYPTED), ROUTES, inside=True)


@pytest.mark.parametrize(
    ("effects", "stays"),
    [
        (Effects(raised="restricted"), True),
        (Effects(warnings=(POINT,)), False),
        (Effects(notifications=(NOTIFICATION,)), False),
        (Effects(copies=("a@council.example",)), False),
        (Effects(edits=(Add("X-A", "b"),)), False),
        (Effects(receipt=True), False),
    ],
)
def test_a_rule_that_causes_more_than_a_route_needs_us(effects: Effects, stays: bool) -> None:
    decision = routed("plain", effects=effects)
    assert may_stay(decision, ROUTES, inside=False) is stays
    assert needs_no_protection(decision, ROUTES, inside=False)


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (routed("tls", Protection.ENCRYPTED), ""),
        (Held(rule="R", chain=("plain",), floor=Protection.NONE, reason="", advice=""), ""),
        (routed("plain", effects=Effects(warnings=(POINT,), notifications=(NOTIFICATION,))), ""),
        (routed("portal"), "send it by the route portal"),
        (routed("wrapped"), "send it by the route wrapped"),
        (routed("host"), "send it by the route host"),
        (routed("grown"), "send it by the route grown"),
        (routed("gone"), "send it by the route gone"),
        (routed("marked"), "change its header as the rule asks"),
        (routed("plain", effects=Effects(edits=(Add("X-A", "b"),))), "change its header as the rule asks"),
        (routed("plain", effects=Effects(receipt=True)), "make the copies and receipts that the rule asks for"),
        (routed("plain", effects=Effects(copies=("a@b.c",))), "make the copies and receipts that the rule asks for"),
    ],
)
def test_what_an_mta_cannot_do_is_said(decision: Routed | Held, why: str) -> None:
    assert why_not_carried(decision, ROUTES, inside=False) == why
