from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.checks.trust import trust_warnings
from gateway.config.load import examine
from gateway.config.page import Page
from tests.fixtures.council import change, council


@pytest.mark.parametrize(
    ("trust", "server", "warned"),
    [
        ("false", "192.0.2.53", False),
        ("true", "127.0.0.1:53", False),
        ("true", "[::1]:53", False),
        ("true", "192.0.2.53", True),
    ],
)
def test_a_far_resolver_that_is_believed_is_warned_of(tmp_path: Path, trust: str, server: str, warned: bool) -> None:
    config = council(tmp_path)
    change(config, ("trust_ad    = false", f"trust_ad    = {trust}"), ('["127.0.0.1:53"]', f'["{server}"]'))
    settings = examine(read_bundle(config)).settings
    assert settings is not None
    page = Page("sealpost.toml")
    trust_warnings(page, settings)
    assert [warning.key for warning in page.warnings] == ["dns.trust_ad"] * warned


def test_the_resolver_that_is_trusted_has_to_be_named(tmp_path: Path) -> None:
    config = council(tmp_path)
    change(config, ("trust_ad    = false", "trust_ad    = true"), ('nameservers = ["127.0.0.1:53"]\n', ""))
    assert [problem.key for problem in examine(read_bundle(config)).problems] == ["dns.trust_ad"]


@pytest.mark.parametrize(("remember", "warned"), [("0s", True), ("23h", True), ("1d", False)])
def test_a_memory_that_is_too_short_is_warned_of(tmp_path: Path, remember: str, warned: bool) -> None:
    config = council(tmp_path)
    change(config, ('ca = "system"', f'ca = "system"\nremember = "{remember}"'))
    settings = examine(read_bundle(config)).settings
    assert settings is not None
    page = Page("sealpost.toml")
    trust_warnings(page, settings)
    assert [warning.key for warning in page.warnings] == ["tls.remember"] * warned


@pytest.mark.parametrize(("route", "warned"), [("opportunistic", False), ("secure", True), ("encrypted", True)])
def test_tls_reports_go_by_a_route_that_reaches_everybody(tmp_path: Path, route: str, warned: bool) -> None:
    config = council(tmp_path)
    with config.open("a") as file:
        file.write(f'tls_reports = "{route}"\n')
    found = examine(read_bundle(config)).warnings
    assert [warning.key for warning in found] == ["system.tls_reports"] * warned
