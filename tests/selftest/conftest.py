"""Configurations to test, and times so short that a test can wait for their end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load

POLICIES = Path(__file__).parents[2] / "policies"

Configured = Callable[..., tuple[Loaded, Bundle]]


TRUSTED = "[dns]\nnameservers = ['127.0.0.1']\ntrust_ad = true\n"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message lives for three seconds."""
    monkeypatch.setattr("gateway.selftest.installation.MAX_AGE", timedelta(seconds=3))
    monkeypatch.setattr("gateway.selftest.installation._ROUTE", timedelta(seconds=1))


@pytest.fixture
def configured() -> Configured:
    """The built-in routes with a shipped policy, and further lines of configuration before its routes."""

    def make(
        policy: str = "starter", lines: str = "[dns]\nnameservers = ['127.0.0.1']\ntrust_ad = true\n"
    ) -> tuple[Loaded, Bundle]:
        bundle = built_in_bundle(POLICIES / f"{policy}.toml")
        bundle = replace(bundle, config_bytes=bundle.config_bytes.replace(b"[network]", f"{lines}[network]".encode()))
        return load(bundle), bundle

    return make
