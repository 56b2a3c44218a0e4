from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.units import parse_duration, parse_endpoint, parse_network, parse_spool, read_size


@pytest.mark.parametrize(
    ("text", "duration"),
    [("5s", timedelta(seconds=5)), ("5m", timedelta(minutes=5)), ("48h", timedelta(days=2)), ("3d", timedelta(days=3))],
)
def test_durations_have_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("value", ["", "5", "5 s", "1.5h", "-5s", "5w", "5S", 5, None, "9999999s"])
def test_other_durations_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="such as 48h"):
        parse_duration(value)


def test_a_bare_number_is_no_size() -> None:
    assert read_size("2KiB") == 2048
    with pytest.raises(ValueError, match="with its unit"):
        read_size(2048)


def test_networks_are_strict() -> None:
    assert parse_network("10.0.0.0/8") == ip_network("10.0.0.0/8")
    for value in ("10.0.0.1/8", "nonsense", 10):
        with pytest.raises(ValueError, match="network"):
            parse_network(value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [("[::]:25", ("::", 25)), ("127.0.0.1:0", ("127.0.0.1", 0)), ("mail.example:587", ("mail.example", 587))],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: tuple[str, int]) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize("text", ["25", ":25", "::25", "host", "host:", "host:65536", "host:x", "[::1]", "a b:25"])
def test_other_endpoints_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_endpoint(text)


def test_a_spool_is_a_url_of_sqlite() -> None:
    assert parse_spool("sqlite:///var/spool/sealpost") == Path("/var/spool/sealpost")
    assert parse_spool("sqlite:spool") == Path("spool")
    for url in ("postgres://x", "sqlite:", "sqlite://", "/var/spool"):
        with pytest.raises(ValueError, match="such as sqlite:///var/spool/sealpost"):
            parse_spool(url)
