"""`sealpost trace`: the whole story of a message, found by its queue id, its Message-ID, or an address."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue_doing import JsonOption
from gateway.cli.queue_view import Json, event_json, event_words, when
from gateway.cli.reload import spool_of
from gateway.config.units import parse_duration
from gateway.core.address import BadAddress, parse_address
from gateway.core.record import Event, EventKind, QueueId
from gateway.flow.ports import SpoolError
from gateway.spool.ids import shard_of
from gateway.spool.reader import ShardReader

_WIDE: Final = 1000
"""What reads a pipe wants whole lines."""

_HEAD: Final = ("When", "Recipient", "What", "Route", "Told")

WhatArgument = Annotated[
    str, typer.Argument(metavar="WHAT", help="A queue id, a Message-ID, or the address of a sender or recipient.")
]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="AGE", help="For an address: how far back to look, such as 4h; default 7d.")
]
LimitOption = Annotated[
    int, typer.Option(metavar="N", min=1, max=1000, help="For an address: at most so many messages.")
]


@dataclass(frozen=True, slots=True)
class _Traced:
    """One message and all that the audit says of it, by time; there is at least one event."""

    queue_id: QueueId
    events: tuple[Event, ...]

    @property
    def message_id(self) -> str:
        return next((event.message_id for event in self.events if event.message_id), "")

    @property
    def sender(self) -> str:
        path = next((event.reverse_path for event in self.events if event.reverse_path is not None), None)
        return "" if path is None else str(path) or "<>"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(trace)


def trace(
    what: WhatArgument,
    since: SinceOption = "7d",
    limit: LimitOption = 10,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell the whole story of a message, in one table.

    A queue id is looked for first, then a Message-ID, then an address, of which the newest messages are shown. What
    is still waiting is among them. Exits with 1 if nothing is found; older messages are in `sealpost audit search`.

    JSON: an array of {"queue_id", "reverse_path", "message_id", "events": [as in `queue show`]}.
    """
    reader = ShardReader(spool_of(config))
    try:
        found = tuple(_found(reader, what.strip(), datetime.now(UTC) - _age(since), limit))
    except SpoolError as error:
        raise Usage(str(error)) from error
    if not found:
        typer.echo(f"Nothing is known of {what}.", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    for each in found:
        console.print(_table(each))


def _age(since: str) -> timedelta:
    try:
        return parse_duration(since)
    except ValueError as error:
        raise Usage(f"--since: {error}") from error


def _found(reader: ShardReader, what: str, since: datetime, limit: int) -> Iterator[_Traced]:
    for queue_id in _named(reader, what) or _about(reader, what, since, limit):
        events = reader.story(queue_id)
        if events:
            yield _Traced(queue_id, events)


def _named(reader: ShardReader, what: str) -> list[QueueId]:
    """By queue id, or by Message-ID with or without its brackets."""
    if shard_of(what) is not None and reader.story(QueueId(what)):
        return [QueueId(what)]
    names = dict.fromkeys((what, f"<{what.strip('<>')}>"))
    return [*dict.fromkeys(event.queue_id for name in names for _, event in reader.find_events(name))]


def _about(reader: ShardReader, what: str, since: datetime, limit: int) -> tuple[QueueId, ...]:
    try:
        address = parse_address(what.strip("<>"))
    except BadAddress:
        return ()
    return reader.about(address, since, limit)


def _as_json(traced: _Traced) -> dict[str, Json]:
    return {
        "queue_id": traced.queue_id,
        "reverse_path": traced.sender,
        "message_id": traced.message_id,
        "events": [event_json(event) for event in traced.events],
    }


def _table(traced: _Traced) -> Table:
    sender = f", from {traced.sender}" if traced.sender else ""
    known_as = f", {traced.message_id}" if traced.message_id else ""
    table = Table(box=None, title=escape(f"{traced.queue_id}{sender}{known_as}"), title_justify="left")
    for name in _HEAD:
        table.add_column(name, overflow="fold", no_wrap=name == "When")
    for event in traced.events:
        what = "" if event.kind is EventKind.ENDED else event.kind.value
        cells = (when(event.at), event.address, what or "end", event.route, event_words(event))
        table.add_row(*map(escape, cells))
    return table
