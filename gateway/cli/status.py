"""`sealpost status` and `sealpost top`: the gateway on one screen, once or live."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from gateway.app.messages import AskView, View
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.queue_doing import JsonOption
from gateway.cli.reload import ask_gateway, spool_of
from gateway.cli.status_view import SHOWN, Snapshot, as_json, screen
from gateway.config.units import parse_duration
from gateway.flow.ports import SpoolError
from gateway.spool.reader import ShardReader
from gateway.spool.stuck import stuck

_WIDE: Final = 1000
"""What reads a pipe wants whole lines."""

_LEAST: Final = timedelta(milliseconds=100)

IntervalOption = Annotated[str, typer.Option("--interval", metavar="TIME", help="How often to look; default 2s.")]
CountOption = Annotated[
    int | None, typer.Option("--count", metavar="N", min=1, help="Look so many times; default until Ctrl-C.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(status)
    app.command()(top)


def status(as_json_: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the gateway on one screen.

    Whether mail flows, whether anything left unprotected, what waits and why, which rule refuses most, which
    partner's TLS is weakest. Counts are since the gateway's start. Exits with 1 if a person is needed.

    JSON: {"at", "started_at", "version", "not_ready", "configuration", "policy", "listeners": [{"serves", "name",
    "address"}], "workers": [{"number", "shards", "problem"}], "figures": {"received", "refused", "ended", "rules",
    "routes", "unprotected", "observed_unprotected", "broken", "alerts", "modes", "restarts", "reload_good",
    "reload_at", "partners"}, "trouble", "queue": {"waiting", "oldest"}, "stuck": [{"next_hop", "state",
    "recipients", "queue_id", "since", "last"}]}.
    """
    snapshot = _look(spool_of(config))
    if as_json_:
        typer.echo(json.dumps(as_json(snapshot), indent=2))
    else:
        _console().print(screen(snapshot))
    if snapshot.trouble:
        raise Finding(snapshot.trouble)


def top(interval: IntervalOption = "2s", count: CountOption = None, config: ConfigOption = None) -> None:
    """Show the gateway live, until Ctrl-C.

    The same screen as `sealpost status`, with how many messages come and go each second. Where the output is no
    terminal, one screen follows the other.
    """
    try:
        pause = parse_duration(interval)
    except ValueError as error:
        raise Usage(f"--interval: {error}") from error
    snapshots = islice(_looks(spool_of(config), max(pause, _LEAST)), count)
    try:
        _show(snapshots)
    except KeyboardInterrupt:
        return


def _show(snapshots: Iterator[Snapshot]) -> None:
    console, before = _console(), None
    if not console.is_terminal:
        for snapshot in snapshots:
            console.print(screen(snapshot, before))
            before = snapshot
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for snapshot in snapshots:
            live.update(screen(snapshot, before), refresh=True)
            before = snapshot


def _looks(spool: Path, pause: timedelta) -> Iterator[Snapshot]:
    while True:
        yield _look(spool)
        time.sleep(pause.total_seconds())


def _look(spool: Path) -> Snapshot:
    """Raises Usage if no gateway runs, or the spool cannot be read."""
    view = ask_gateway(spool, AskView())
    if not isinstance(view, View):
        raise Usage(view.text)
    try:
        return Snapshot(view=view, queue=ShardReader(spool).sizes(), stuck=stuck(spool, SHOWN))
    except SpoolError as error:
        raise Usage(str(error)) from error


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
