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
