from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.checks.at_rest import at_rest_warnings
from gateway.config.load import load
from gateway.config.page import Page
from gateway.core.tls import Protection
from tests.fixtures.council import council


@pytest.mark.parametrize(
    ("floor", "keys", "warned"),
    [
        (Protection.ENCRYPTED, (), True),
        (Protection.ENCRYPTED, (b"k" * 32,), False),
        (Protection.NONE, (), False),
    ],
)
def test_a_spool_without_keys_is_warned_of_where_some_level_has_a_floor(
    tmp_path: Path, floor: Protection, keys: tuple[bytes, ...], warned: bool
) -> None:
    loaded = load(read_bundle(council(tmp_path)))
    policy = replace(loaded.policy, floors={"open": Protection.NONE, "controlled": floor})
    page = Page("sealpost.toml")
    at_rest_warnings(page, replace(loaded.settings, spool_keys=keys), policy)
    assert [warning.key for warning in page.warnings] == ["secrets.spool"] * warned
    assert all("controlled mail" in warning.text for warning in page.warnings)


def test_keys_are_read_from_their_file(tmp_path: Path) -> None:
    config = council(tmp_path)
    (tmp_path / "certs/spool.keys").write_text("new " + "bm5u" * 10 + "bm4=\nold " + "b29v" * 10 + "b28=\n")
    assert load(read_bundle(config)).settings.spool_keys == (b"n" * 32, b"o" * 32)
