"""The files that a configuration names: those it cannot do without, and secrets that others can read."""

import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from gateway.config.bundle import Bundle
from gateway.config.page import Page, dotted
from gateway.config.settings import Settings


def check_files(bundle: Bundle, settings: Settings) -> Page:
    """Problems: certificates that are not there. Warnings: secrets that others on this machine can read."""
    page = Page(str(bundle.config))
    for key, path in _named(settings):
        if not path.is_file():
            page.problem(key, f"there is no file {path}")
    for name in sorted(bundle.secrets):
        path = bundle.base / name
        if path.is_file() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            page.warning("", f"others can read the secret {path}: chmod 600 {path}")
    return page


def _named(settings: Settings) -> Iterator[tuple[str, Path]]:
    if isinstance(settings.tls_ca, Path):
        yield "tls.ca", settings.tls_ca
    for number, listener in enumerate(settings.smtp):
        for name in ("certificate", "private_key", "client_ca"):
            yield from _path(dotted("listen", "smtp", number, name), getattr(listener, name))
    for route, options in settings.transport_options.items():
        for field in fields(cast("Any", options)):
            yield from _path(dotted("routes", route, field.name), getattr(options, field.name))


def _path(key: str, value: object) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
