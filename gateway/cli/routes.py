"""`sealpost routes`: every route with what carries it, what it gives, its limits, and whether it can be used now.

What is known of a host is what a worker found when it last looked; the store of sealed messages is looked at here.
Nothing is changed.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.app.vault import folder_of
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue import JsonOption
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.core.route import Declared, Route
from gateway.flow.health import MOST, PREFIX, Health, read_health
from gateway.flow.ports import SpoolError
from gateway.sealed.schema import NAME as SEALED
from gateway.spool.state import NAME as STATE
from gateway.spool.state_reader import read_state
from gateway.transports import TRANSPORTS

_WIDE: Final = 200
_HEAD: Final = ("Route", "By", "Gives", "Limits", "Now")
_MIB: Final = 1024 * 1024
_NONE: Final = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One route. ``health`` is None where nobody looks at a host; ``writable`` None where nothing is stored here.

    A store that is not there is not writable, either.

    Sizes are bytes, times seconds, None is no limit.
    """

    name: str
    transport: str
    gives: str
    max_attachments: int | None
    max_message: int | None
    give_up_after: float | None
    returns: bool
    health: Health | None
    writable: bool | None


_SHOWN: Final = TypeAdapter(tuple[Shown, ...])


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(routes)


def routes(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the routes: what they give, and whether they can be used.

    A route with a host of its own is looked at every five minutes while the gateway runs. Exits with 1 if one cannot be
    used. JSON: an array of {"name", "transport", "gives", "max_attachments", "max_message", "give_up_after", "returns",
    "health": null or {"at", "since", "seconds", "grade", "why"}, "writable"}.
    """
    settings = load(read_bundle(find_config(config))).settings
    now = datetime.now(UTC)
    known = _known(settings.spool_dir, now)
    found = tuple(_shown(route, settings, known) for route in settings.routes.values())
    if as_json:
        typer.echo(_SHOWN.dump_json(found, indent=2).decode())
    else:
        _print(found, now)
    if any(each.writable is False or (each.health is not None and not each.health.good) for each in found):
        raise typer.Exit(1)


def _known(spool: Path, now: datetime) -> Mapping[str, Health]:
    try:
        return read_health(read_state(spool, PREFIX, MOST, now))
    except SpoolError as error:
        raise Usage(str(error)) from error


def _shown(route: Route, settings: Settings, known: Mapping[str, Health]) -> Shown:
    return Shown(
        name=route.name,
        transport=route.transport,
        gives="internal" if route.declared is Declared.INTERNAL else route.gives.label,
        max_attachments=route.max_attachments,
        max_message=route.max_message,
        give_up_after=None if route.give_up_after is None else route.give_up_after.total_seconds(),
        returns=route.returns,
        health=known.get(route.name),
        writable=_store_writable(route, settings) if route.declared is Declared.SEALING else None,
    )


def _store_writable(route: Route, settings: Settings) -> bool:
    """Whether what the route stores can be: sealed messages and passwords in their store, else files in the spool."""
    spool, folder = settings.spool_dir, folder_of(settings)
    if not TRANSPORTS[route.transport].stores:
        return _writable(spool)
    if (folder / SEALED).exists():
        return _writable(folder) and os.access(folder / SEALED, os.R_OK | os.W_OK)
    # A gateway makes it at its start: where one has run, what is not there is gone, or was never made.
    return not (spool / STATE).exists() and _writable(spool)


def _writable(folder: Path) -> bool:
    """Whether it, or the folder that it would be made in, can be written to by who asks."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    return os.access(there, os.W_OK | os.X_OK)


def _print(found: tuple[Shown, ...], now: datetime) -> None:
    table = Table(box=None)
    for name in _HEAD:
        table.add_column(name, overflow="fold", no_wrap=name == "Route")
    for each in found:
        row = (each.name, each.transport, each.gives, ", ".join(_limits(each)) or _NONE, _state(each, now))
        table.add_row(*map(escape, row))
    # What reads a pipe wants whole lines.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _limits(each: Shown) -> Iterator[str]:
    if each.max_attachments is not None:
        yield f"files {each.max_attachments / _MIB:g} MiB"
    if each.max_message is not None:
        yield f"message {each.max_message / _MIB:g} MiB"
    if each.give_up_after is not None:
        yield f"given up after {_long(timedelta(seconds=each.give_up_after))}"
    if each.returns:
        yield "mail comes back"


def _state(each: Shown, now: datetime) -> str:
    if each.writable is not None:
        return "store writable" if each.writable else "store not there, or not writable"
    health = each.health
    if health is None:
        return "not looked at lately" if each.transport == "smarthost" else _NONE
    what = f"up, {health.grade}" if health.good else f"down: {health.why}"
    return f"{what} (since {_long(now - health.since)}, looked at {_long(now - health.at)} ago)"


def _long(time: timedelta) -> str:
    """In the largest unit that fits."""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
