"""Whose request it is, whatever anybody wrote into a field of it."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.portal.visitor import address_of
from tests.portal.opened_pages import PAGE

BEHIND = replace(PAGE, proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
VISITOR = "203.0.113.5"


def request(peer: str | None, *fields: str) -> Request:
    headers = [(b"x-forwarded-for", field.encode("latin-1")) for field in fields]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer is not None else None})


@pytest.mark.parametrize(
    ("peer", "fields", "found"),
    [
        (VISITOR, (), VISITOR),
        (VISITOR, ("198.51.100.1",), VISITOR),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("2001:db8::7",), "2001:db8::7"),
        ("10.0.0.1", (f"198.51.100.1, {VISITOR}",), VISITOR),
        ("10.0.0.1", (f"198.51.100.1, {VISITOR} , 10.0.0.2",), VISITOR),
        ("10.0.0.1", ("198.51.100.1", VISITOR), VISITOR),
        ("10.0.0.1", (f"{VISITOR}, unknown",), "10.0.0.1"),
        ("10.0.0.1", (f"{VISITOR}:443",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.1"),
        (None, (VISITOR,), ""),
        ("", (VISITOR,), ""),
    ],
)
def test_who_it_is(peer: str | None, fields: tuple[str, ...], found: str) -> None:
    assert address_of(request(peer, *fields), BEHIND) == found


def test_without_a_proxy_of_ours_nothing_is_believed() -> None:
    assert address_of(request("10.0.0.1", VISITOR), PAGE) == "10.0.0.1"


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=40), max_size=5))
def test_what_stands_before_the_last_hop_counts_for_nothing(before: list[str]) -> None:
    assert address_of(request("10.0.0.1", *before, VISITOR), BEHIND) == VISITOR
