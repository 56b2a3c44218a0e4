"""`sealpost queue list|show`: what waits, and what became of a message; `queue_acts` has what can be done to it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import typer

from gateway.cli import queue_acts
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue_choice import (
    DomainOption,
    OlderOption,
    RecipientsOption,
    RuleOption,
    SenderOption,
    choice,
    read_id,
)
from gateway.cli.queue_doing import JsonOption
from gateway.cli.queue_keys import rotate_key
from gateway.cli.queue_view import (
    Json,
    event_json,
    event_lines,
    item_json,
    item_line,
    message_json,
    message_lines,
    row_json,
)
from gateway.cli.reload import spool_of
from gateway.core.record import Event, QueueId, State
from gateway.flow.ports import QueueFilter, QueueItem, SpoolError
from gateway.spool.reader import ShardReader

queue = typer.Typer(help="Look at the queue, and act on what waits.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A queue id, as the log and `queue list` show it.")]

_LIMIT: Final = 1000


class Waiting(StrEnum):
    """The states that `--state` knows."""

    QUEUED = "queued"
    OPEN = "open"
    HELD = "held"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    queue_acts.register(queue)
    queue.command("rotate-key")(rotate_key)
    app.add_typer(queue, name="queue")


@queue.command("list")
def list_queue(
    sender: SenderOption = None,
    recipient: RecipientsOption = None,
    domain: DomainOption = None,
    rule: RuleOption = None,
    older_than: OlderOption = None,
    state: Annotated[
        list[Waiting] | None,
        typer.Option(metavar="STATE", help="Only this state (queued, open or held); may be given again."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Print at most so many recipients.")] = _LIMIT,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List what waits, oldest message first in each shard.

    JSON: an array of {"queue_id", "kind", "reverse_path", "bytes", "accepted_at", "recipient", "number", "state",
    "decision": {"rule", "action", "route", "floor", "reason", "advice"}, "route", "attempts", "due_at", "deadline",
    "expires_at", "last": null or {"result", "cause", "status", "detail", "host", "reply", "evidence"}}.
    """
    states = frozenset(State(one) for one in state or Waiting)
    meant = choice(None, sender, recipient, domain, rule, older_than)
    items = islice(meant.items(ShardReader(spool_of(config)), states), limit)
    if as_json:
        _print_array(item_json(item) for item in items)
    else:
        _print_lines(items)


def _print_array(elements: Iterable[dict[str, Json]]) -> None:
    """One element a line, as they are read: a long queue is never in memory."""
    before = "["
    for element in elements:
        typer.echo(f"{before}{json.dumps(element)}", nl=False)
        before = ",\n"
    typer.echo("[]" if before == "[" else "]")


def _print_lines(items: Iterable[QueueItem]) -> None:
    empty = True
    for item in items:
        empty = False
        typer.echo(item_line(item))
    if empty:
        typer.echo("Nothing waits.")


@dataclass(frozen=True, slots=True)
class _Story:
    """All that is known of one message: its rows while some of them wait, and its audit events."""

    items: tuple[QueueItem, ...]
    events: tuple[Event, ...]


@queue.command()
def show(queue_id: IdArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a message, and everything that happened to it.

    Also after its end, as long as audit is kept. Exits with 1 if there is no such message.

    JSON: {"queue_id", "message": null (it has ended) or {"kind", "reverse_path", "bytes", "accepted_at", "message_id",
    "client", "listener", "policy", "classification", "classification_source", "intent", "automatic", "require_tls"},
    "recipients": [as in `queue list`], "events": [{"at", "kind", "recipient", "route", "rule", "outcome", "state",
    "text"}]}. "evidence" is {"mx", "address", "port", "tls", "cipher", "verified", "how", "demanded_by", "subject",
    "issuer", "names", "not_after", "chain_digest", "grade", "channel", "mx_name", "spki"}.
    """
    story = _story(ShardReader(spool_of(config)), read_id(queue_id))
    if not story.items and not story.events:
        typer.echo(f"There is no message {queue_id} in the queue or the audit.", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(_story_json(queue_id, story), indent=2))
    else:
        _print_story(queue_id, story)


def _story(reader: ShardReader, queue_id: QueueId) -> _Story:
    try:
        items = tuple(reader.items(QueueFilter(queue_id=queue_id, states=frozenset(State))))
        return _Story(items, reader.story(queue_id))
    except SpoolError as error:
        raise Usage(str(error)) from error


def _story_json(queue_id: str, story: _Story) -> dict[str, Json]:
    return {
        "queue_id": queue_id,
        "message": message_json(story.items[0].message) if story.items else None,
        "recipients": [row_json(item.row) for item in story.items],
        "events": [event_json(event) for event in story.events],
    }


def _print_story(queue_id: str, story: _Story) -> None:
    if story.items:
        for line in message_lines(story.items[0].message, [item.row for item in story.items]):
            typer.echo(line)
    else:
        typer.echo(f"{queue_id} has ended.")
    for event in story.events:
        for line in event_lines(event):
            typer.echo(line)
