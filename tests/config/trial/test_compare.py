"""Which of two ends protects less."""

from dataclasses import replace
from itertools import product

import pytest

from gateway.config.trial.compare import Change, compare, end
from gateway.core.decision import Decision, Held, Instead, Open, Refused, Routed
from gateway.core.tls import Protection
from tests.fixtures.build import ROUTES

NONE, ENCRYPTED, VERIFIED, SEALED = Protection


def send(*chain: str, floor: Protection = NONE, instead: Instead | None = None) -> Routed:
    return Routed(rule="r", chain=chain, floor=floor, original_floor=floor, reason="", advice="", instead=instead)


def hold(*chain: str, floor: Protection = NONE) -> Held:
    return Held(rule="r", chain=chain, floor=floor, reason="", advice="")


REJECT = Refused(rule="r", floor=NONE, reason="", advice="")
OPEN = Open(rule="r", missing=(), floor=NONE, reason="", advice="")


@pytest.mark.parametrize(
    ("was", "would", "change"),
    [
        (send("tls"), send("tls"), Change.NONE),
        (send("tls"), send("secure"), Change.MORE),
        (send("secure"), send("tls"), Change.LESS),
        (send("tls", "encrypted"), send("tls"), Change.OTHER),
        # The weakest route of a chain counts, not the first.
        (send("secure", "encrypted"), send("secure", "opportunistic"), Change.LESS),
        # A floor above the route is what the connection must give.
        (send("opportunistic", floor=ENCRYPTED), send("opportunistic"), Change.LESS),
        (send("tls", floor=ENCRYPTED), send("tls"), Change.OTHER),
        (send("opportunistic"), hold("opportunistic"), Change.MORE),
        (hold("opportunistic"), send("encrypted"), Change.LESS),
        # A person looks at it now, but what is released then has less.
        (send("encrypted"), hold("tls"), Change.LESS),
        (hold("tls"), hold("secure"), Change.MORE),
        (REJECT, send("encrypted"), Change.LESS),
        (send("encrypted"), REJECT, Change.MORE),
        (hold("encrypted"), REJECT, Change.MORE),
        (REJECT, hold("encrypted"), Change.LESS),
        (REJECT, REJECT, Change.NONE),
        # What comes back goes nowhere: its floor counts for nothing.
        (REJECT, replace(REJECT, floor=VERIFIED), Change.NONE),
        (hold("secure"), hold("secure", floor=ENCRYPTED), Change.OTHER),
        (OPEN, send("tls"), Change.UNRECORDED),
        (send("tls"), OPEN, Change.UNRECORDED),
        (OPEN, OPEN, Change.UNRECORDED),
        # A route that is gone: what it gave cannot be told.
        (send("vanished"), send("encrypted"), Change.UNRECORDED),
    ],
)
def test_what_changes(was: Decision, would: Decision, change: Change) -> None:
    assert compare(end(was, ROUTES), end(would, ROUTES)) is change


ALL = [
    *(send(*chain, floor=floor) for chain in (("tls",), ("secure", "tls"), ("encrypted",)) for floor in Protection),
    *(hold(name) for name in ("opportunistic", "secure")),
    REJECT,
]


@pytest.mark.parametrize(("one", "other"), list(product(ALL, ALL)))
def test_no_two_policies_both_lose(one: Decision, other: Decision) -> None:
    there, back = (compare(end(a, ROUTES), end(b, ROUTES)) for a, b in ((one, other), (other, one)))
    if there is Change.MORE:
        assert back is Change.LESS
    assert (there in (Change.NONE, Change.OTHER)) == (back in (Change.NONE, Change.OTHER))


def test_what_was_only_observed_counts_as_what_it_would_have_been() -> None:
    real = Instead(rule="strict", action="route", chain=("secure",), floor=VERIFIED)
    found = end(send("opportunistic", instead=real), ROUTES)
    assert (found.rule, found.route, found.floor, found.gives) == ("strict", ("secure",), VERIFIED, VERIFIED)
    refused = Instead(rule="strict", action="reject", chain=(), floor=VERIFIED)
    assert compare(end(send("opportunistic", instead=refused), ROUTES), end(send("encrypted"), ROUTES)) is Change.LESS


def test_the_text_says_what_becomes_of_it() -> None:
    ends = [end(each, ROUTES) for each in (send("tls", "encrypted"), hold("tls"), REJECT, OPEN)]
    assert [each.route_text for each in ends] == ["tls, then encrypted", "held, then tls", "given back", "not decided"]
