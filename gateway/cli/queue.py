"""`sealpost queue`: what waits, what became of it, and an operator's retry, delete, release or return."""

import json
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from gateway.app.messages import Delete, GiveBack, Release, Retry
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
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
from gateway.cli.reload import ask_gateway, spool_of, tell
from gateway.core.address import BadAddress, parse_address, parse_domain
from gateway.core.record import Event, QueueId, State
from gateway.flow.ports import QueueFilter, QueueItem, SpoolError
from gateway.flow.release import read_note
from gateway.spool.ids import shard_of
from gateway.spool.reader import ShardReader

queue = typer.Typer(help="Look at the queue, retry, delete or release what waits.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON; keys are added at times, never renamed.")]
RecipientsOption = Annotated[
    list[str] | None,
    typer.Option("--recipient", metavar="ADDRESS", help="Only this recipient; may be given again."),
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A queue id, as the log and `queue list` show it.")]

_LIMIT: Final = 1000


class Waiting(StrEnum):
    """The states that `--state` knows."""

    QUEUED = "queued"
    OPEN = "open"
    HELD = "held"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    queue.command("rotate-key")(rotate_key)
    app.add_typer(queue, name="queue")


@queue.command("list")
def list_queue(
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="Only recipients of this domain.")] = None,
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
    wanted = QueueFilter(states=states, domain=_domain(domain))
    items = ShardReader(spool_of(config)).items(wanted, limit)
    try:
        if as_json:
            _print_array(item_json(item) for item in items)
        else:
            _print_lines(items)
    except SpoolError as error:
        raise Usage(str(error)) from error


def _domain(text: str | None) -> str | None:
    try:
        return parse_domain(text) if text is not None else None
    except BadAddress as error:
        raise Usage(f"`{text}` is not a domain: {error}") from error


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
    story = _story(ShardReader(spool_of(config)), _id(queue_id))
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


@queue.command()
def retry(
    queue_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A queue id, as the log and `queue list` show it.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    config: ConfigOption = None,
) -> None:
    """Try a message now, or with --all everything that waits.

    Otherwise each is tried at its time. Held mail stays held. No protection is lowered by it. Exits with 1 if nothing
    waits.
    """
    if (queue_id is None) is not every:
        raise Usage("name one queue id, or say --all")
    wanted = _id(queue_id) if queue_id is not None else None
    tell(ask_gateway(spool_of(config), Retry(queue_id=wanted, operator=_operator())))


@queue.command()
def delete(
    queue_id: IdArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept in the audit with your name.")],
    recipient: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only this recipient.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete a message that waits, or one recipient of it.

    Nobody gets a report; the audit keeps who did it and why. What is being delivered at this moment is left
    alone. Exits with 1 if nothing was deleted.
    """
    wanted = _id(queue_id)
    if not reason.strip():
        raise Usage("a deletion needs a reason that is not empty")
    if not yes:
        typer.confirm(f"Delete {f'{recipient} of ' if recipient else ''}{queue_id} for good?", abort=True)
    request = Delete(queue_id=wanted, recipient=recipient, reason=reason.strip(), operator=_operator())
    tell(ask_gateway(spool_of(config), request))


@queue.command()
def release(
    queue_id: IdArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept in the audit with your name.")],
    recipient: RecipientsOption = None,
    config: ConfigOption = None,
) -> None:
    """Release held mail, all of it or to some recipients.

    It enters its route, never below the protection that was decided for it. Exits with 1 if nothing was held.
    """
    wanted, spool = _id(queue_id), spool_of(config)
    if not reason.strip():
        raise Usage("a release needs a reason that is not empty")
    numbers = _numbers(ShardReader(spool), wanted, recipient)
    request = Release(queue_id=wanted, numbers=numbers, role=None, reason=reason.strip(), operator=_operator())
    tell(ask_gateway(spool, request))


@queue.command("return")
def give_back(
    queue_id: IdArgument,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What the sender is to do; it stands in the report.")],
    recipient: RecipientsOption = None,
    config: ConfigOption = None,
) -> None:
    """Give held mail back to its sender, with a note.

    The audit keeps the note with your name. Exits with 1 if nothing was held.
    """
    wanted, spool = _id(queue_id), spool_of(config)
    try:
        said = read_note(note)
    except ValueError as error:
        raise Usage(str(error)) from error
    numbers = _numbers(ShardReader(spool), wanted, recipient)
    tell(ask_gateway(spool, GiveBack(queue_id=wanted, numbers=numbers, role=None, note=said, operator=_operator())))


def _numbers(reader: ShardReader, queue_id: QueueId, recipients: list[str] | None) -> tuple[int, ...] | None:
    """The held recipients of these addresses; None, for all of them, if none is named."""
    if not recipients:
        return None
    held = QueueFilter(queue_id=queue_id, states=frozenset({State.HELD}))
    try:
        numbers = {item.row.address.key: item.row.number for item in reader.items(held)}
    except SpoolError as error:
        raise Usage(str(error)) from error
    chosen = {address: numbers.get(_key(address)) for address in recipients}
    for address, number in chosen.items():
        if number is None:
            raise Usage(f"`{address}` is not a held recipient of {queue_id}; `sealpost queue show` lists them")
    return tuple(number for number in chosen.values() if number is not None)


def _key(address: str) -> str:
    try:
        return parse_address(address).key
    except BadAddress as error:
        raise Usage(f"`{address}` is not an address: {error}") from error


def _id(text: str) -> QueueId:
    if shard_of(text) is None:
        raise Usage(f"`{text}` is not a queue id; `sealpost queue list` shows them")
    return QueueId(text)


def _operator() -> str:
    """Who asks, by name; behind sudo the person and not root."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
