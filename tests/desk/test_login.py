"""Only the proxy's own connection is believed, whichever family it comes by."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from starlette.requests import Request

from gateway.desk.login import signed_in
from gateway.desk.options import DeskOptions

OPTIONS = DeskOptions(
    host="::",
    port=1,
    url="https://Desk.council.example:8443/x",
    proxies=(ip_network("10.1.2.0/24"), ip_network("2001:db8::1/128")),
    user_header="X-Remote-User",
    releasers={},
    readers=frozenset(),
)


def request(client: tuple[str, int] | None, *names: str) -> Request:
    headers = [(b"x-remote-user", name.encode()) for name in names]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("client", "user"),
    [
        ("10.1.2.3", "ann@council.example"),
        ("::ffff:10.1.2.3", "ann@council.example"),
        ("2001:db8::1", "ann@council.example"),
        ("10.1.3.3", None),
        ("::ffff:10.1.3.3", None),
        ("2001:db8::2", None),
        ("a socket", None),
    ],
)
def test_the_connection_says_who_is_the_proxy(client: str, user: str | None) -> None:
    assert signed_in(request((client, 1), "Ann@council.example"), OPTIONS) == user


def test_nobody_is_signed_in_without_one_name() -> None:
    assert signed_in(request(None, "ann@council.example"), OPTIONS) is None
    for names in ((), ("",), ("ann",), ("ann@council.example", "ann@council.example")):
        assert signed_in(request(("10.1.2.3", 1), *names), OPTIONS) is None
    other = replace(OPTIONS, user_header="X-User")
    assert signed_in(request(("10.1.2.3", 1), "ann@council.example"), other) is None


def test_a_forms_origin_is_the_pages_without_its_path() -> None:
    assert OPTIONS.origin == "https://desk.council.example:8443"
