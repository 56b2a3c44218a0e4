"""The files that a configuration names: those it cannot do without, and secrets that others can read.

A transport's own files are known by their names: ``…certificate`` is ours, ``private_key`` its key unless the same
file holds that, and ``…ca`` are authorities. Some are folders.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from gateway.config.certificates import authorities_trouble, pair_trouble
from gateway.config.load import Examined
from gateway.config.page import Page, dotted

_KEY = "private_key"
_FOLDERS = frozenset({"certificates", "crl", "keys"})


def check_files(examined: Examined) -> Page:
    """Problems: certificates that cannot be used. Warnings: secrets that others on this machine can read.

    All that could be read is looked at, whatever is wrong with the rest.
    """
    bundle = examined.bundle
    page = Page(str(bundle.config))
    for key, files in _groups(examined):
        _check(page, key, files)
    for name in sorted(bundle.secrets):
        path = bundle.base / name
        if path.is_file() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            page.warning("", f"others can read the secret {path}: chmod 600 {path}")
    return page


def _groups(examined: Examined) -> Iterator[tuple[str, Mapping[str, Path]]]:
    """The files that each table names, by their keys in it."""
    settings = examined.settings
    if settings is not None and isinstance(settings.tls_ca, Path):
        yield "tls", {"ca": settings.tls_ca}
    for number, pin in enumerate(settings.pins.all if settings else ()):
        named = {"ca": pin.authorities, "client_certificate": pin.certificate, "private_key": pin.private_key}
        yield dotted("tls", "pins", number), {key: Path(name) for key, name in named.items() if name}
    for number, listener in enumerate(settings.smtp if settings else ()):
        yield dotted("listen", "smtp", number), _paths(listener)
    if settings is not None and settings.pages is not None:
        pages = settings.pages
        named = {"certificate": pages.certificate, "private_key": pages.private_key}
        yield "listen.portal", {key: path for key, path in named.items() if path is not None}
    for route, options in examined.routes.options.items():
        yield dotted("routes", route), _paths(options)


def _paths(options: object) -> Mapping[str, Path]:
    values = {field.name: getattr(options, field.name) for field in fields(cast("Any", options))}
    return {name: value for name, value in values.items() if isinstance(value, Path)}


def _check(page: Page, key: str, files: Mapping[str, Path]) -> None:
    missing = {name for name, path in files.items() if not (path.is_dir() if name in _FOLDERS else path.is_file())}
    for name, path in files.items():
        if name in missing:
            what = "folder" if name in _FOLDERS else "file"
            page.problem(dotted(key, name), f"there is no {what} {path}")
        elif (trouble := _trouble(name, files, missing)) is not None:
            page.problem(dotted(key, name), trouble)


def _trouble(name: str, files: Mapping[str, Path], missing: set[str]) -> str | None:
    if name.endswith("certificate") and _KEY not in missing:
        return pair_trouble(files[name], files.get(_KEY))
    return authorities_trouble(files[name]) if name.endswith("ca") else None
