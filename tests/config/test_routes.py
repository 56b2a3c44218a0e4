from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.bundle import Bundle
from gateway.config.page import Page
from gateway.config.routes import check_internal, read_routes
from gateway.config.secrets import Secrets
from gateway.config.transport_options import Source, read_options

BUNDLE = Bundle(
    config=Path("/etc/x/sealpost.toml"),
    policy=Path("p"),
    config_bytes=b"",
    policy_bytes=b"",
    secrets={"pw": b"hunter2\r\n"},
)
SMARTHOST = {"transport": "smarthost", "tls": "verify", "host": "relay.example:25"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One field of each kind that a transport may have."""

    name: str
    key: Path | None = None
    expires: timedelta = timedelta(days=28)
    hosts: tuple[str, ...] = ()
    retries: int = 3
    password: bytes | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.retries > 9:
            raise ValueError("retries are at most 9")


def read(table: dict[str, object]) -> tuple[Sample | None, list[str]]:
    page = Page("f")
    options = read_options(Source(page, "routes.r", Path("/etc/x"), Secrets(page, BUNDLE)), Sample, table, ("tls",))
    return options, [str(problem) for problem in page.problems]


def test_a_transports_fields_are_read_by_their_types() -> None:
    table: dict[str, object] = {
        "name": "n",
        "key": "certs/k.pem",
        "expires": "7d",
        "hosts": ["a", "b"],
        "retries": 4,
        "password": "file:pw",
        "token": "file:pw",
    }
    expected = Sample(
        name="n",
        key=Path("/etc/x/certs/k.pem"),
        expires=timedelta(days=7),
        hosts=("a", "b"),
        retries=4,
        password=b"hunter2",
        token="hunter2",
    )
    assert read(table) == (expected, [])


def test_what_is_not_given_keeps_the_transports_default() -> None:
    assert read({"name": "n"}) == (Sample(name="n"), [])


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "f: routes.r.name: this is missing"),
        ({"name": 3}, "f: routes.r.name: this is a text in quotes"),
        ({"name": "n", "key": 3}, "f: routes.r.key: this is a file's name in quotes"),
        (
            {"name": "n", "expires": "soon"},
            "f: routes.r.expires: a duration is a whole number and one of s, m, h, d, such as 48h",
        ),
        ({"name": "n", "hosts": [1]}, "f: routes.r.hosts[1]: this is a text in quotes"),
        ({"name": "n", "retries": "4"}, "f: routes.r.retries: this is a whole number"),
        ({"name": "n", "retries": 10}, "f: routes.r: retries are at most 9"),
        ({"name": "n", "tsl": 1}, "f: routes.r.tsl: unknown key `tsl`, did you mean `tls`?"),
        ({"name": "n", "nam": 1}, "f: routes.r.nam: unknown key `nam`, did you mean `name`?"),
        (
            {"name": "n", "password": "file:no"},
            "f: routes.r.password: the file `no` cannot be read: No such file or directory",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_key(table: dict[str, object], problem: str) -> None:
    assert read(table) == (None, [problem])


@pytest.mark.parametrize("value", ["hunter2", 5, ["hunter2"]])
def test_a_secret_in_the_open_is_refused_and_not_repeated(value: object) -> None:
    for name in ("password", "token"):
        options, problems = read({"name": "n", name: value})
        assert options is None
        assert problems == [f'f: routes.r.{name}: a secret stands in a file of its own: "file:certs/name"']


def routes_of(**tables: object) -> tuple[list[str], list[str]]:
    page = Page("f")
    routes = read_routes(page, tables, Secrets(page, BUNDLE))
    check_internal(page, tables, [ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    assert routes.names == frozenset(tables)
    return sorted(routes.routes), [str(problem) for problem in page.problems]


def test_a_broken_route_hides_no_problem_of_its_own_or_another() -> None:
    assert routes_of(
        a={"transport": "smarthst", "tls": "encript"},
        b={**SMARTHOST, "host": 5, "max_message": 7},
        c=SMARTHOST,
        d="text",
    ) == (
        ["c"],
        [
            "f: routes.a.tls: unknown value `encript`, did you mean `encrypt`?",
            "f: routes.a.transport: unknown transport `smarthst`, did you mean `smarthost`?",
            'f: routes.b.max_message: a size is a text with its unit, such as "13MiB"',
            "f: routes.b.host: this is a text in quotes",
            "f: routes.d.transport: this is missing",
        ],
    )


def test_a_sealing_host_must_prove_its_name() -> None:
    assert routes_of(r={**SMARTHOST, "protection": "sealed"})[1] == []
    assert routes_of(r={**SMARTHOST, "protection": "sealed", "tls": "encrypt"})[1] == [
        'f: routes.r.tls: protection = "sealed" needs tls = "verify": the sealing host must prove its name'
    ]


@pytest.mark.parametrize("protection", ["sealed", "internal"])
def test_mail_to_any_mx_host_cannot_be_declared_protected(protection: str) -> None:
    assert routes_of(r={"transport": "mx", "tls": "verify", "protection": protection})[1] == [
        "f: routes.r.protection: only a route with a fixed host can declare its protection"
    ]


@pytest.mark.parametrize(
    ("more", "inside"),
    [
        ({"host": "10.1.2.3:25", "tls": "encrypt"}, True),
        ({"host": "10.1.2.3"}, True),
        ({"host": "[fd00::1]:25"}, True),
        ({"host": "192.0.2.1:25"}, False),
        ({"host": "mail.example:25"}, False),
        ({"host": "mail.example:25", "match_name": "mail.example"}, True),
        ({"host": "mail.example:25", "match_name": "mail.example", "tls": "encrypt"}, False),
    ],
)
def test_an_internal_route_goes_inside_for_certain(more: dict[str, object], *, inside: bool) -> None:
    problems = routes_of(r={**SMARTHOST, "protection": "internal", **more})[1]
    assert (problems == []) is inside
    assert all("routes.r.protection: the host must be an address in [network] internal" in text for text in problems)


@pytest.mark.parametrize(
    ("header", "ok"),
    [
        ({"X-Council-Encrypt": "yes"}, True),
        ({"X Bad": "yes"}, False),
        ({"X:Bad": "yes"}, False),
        ({"X-Bad": "yes\r\nBcc: all@x.example"}, False),
        ({"X-Bad": "jä"}, False),
        ({"x-sealpost-Hop": "v1"}, False),
    ],
)
def test_an_added_header_is_one_clean_field_and_never_ours(header: dict[str, str], *, ok: bool) -> None:
    problems = routes_of(r={**SMARTHOST, "add_header": header})[1]
    assert (problems == []) is ok
    assert all(text.startswith(f"f: routes.r.add_header.{next(iter(header))}: ") for text in problems)


@pytest.mark.parametrize(("name", "ok"), [("tls-2_b", True), ("a;b", False), ("a b", False), ("", False), ("é", False)])
def test_a_routes_name_can_stand_in_the_hop_field(name: str, *, ok: bool) -> None:
    assert (routes_of(**{name: SMARTHOST})[1] == []) is ok
