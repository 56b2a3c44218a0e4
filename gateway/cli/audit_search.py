"""`sealpost audit search` and `export`: what the audit says of some messages, on the screen or as a file."""

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from gateway.audit.search import search as search_trail
from gateway.cli.audit_source import (
    FolderOption,
    MessageIdOption,
    PersonOption,
    QueueIdOption,
    RecipientOption,
    ReferenceOption,
    RuleOption,
    SenderOption,
    SinceOption,
    UntilOption,
    query,
    read_from,
)
from gateway.cli.audit_view import COUNTED, FIELDS, entry_json, group_json, table_of, write_csv, write_json
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.evidence_view import Json
from gateway.cli.queue_doing import JsonOption
from gateway.core.audit_counts import counts
from gateway.core.audit_query import Entry
from gateway.flow.ports import SpoolError

_WIDE = 1000
"""What reads a pipe wants whole lines."""


class Format(StrEnum):
    """How an export is written."""

    JSON = "json"
    CSV = "csv"


def search(
    sender: SenderOption = "",
    recipient: RecipientOption = "",
    person: PersonOption = "",
    message_id: MessageIdOption = "",
    queue_id: QueueIdOption = "",
    reference: ReferenceOption = "",
    rule: RuleOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many events.")] = 1000,
    as_json: JsonOption = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Find messages, and show all that is recorded.

    All that is given has to hold of a message. `--person` answers a subject access request. Without [audit] in the
    configuration the spool is read, which has the last months. Exits with 1 if nothing is found.

    JSON: an array of events; every key of `audit export` is in each.
    """
    asked = query(sender, recipient, person, message_id, queue_id, reference, rule, since, until)
    if not asked.criteria and not asked.timed:
        raise Usage("say which messages: --sender, --recipient, --person, --message-id, --reference, --rule, --since …")
    found = tuple(islice(_readable(search_trail(read_from(folder, config).trail, asked)), limit + 1))
    if not found:
        raise Finding("the audit knows nothing of it")
    if as_json:
        write_json(map(entry_json, found[:limit]), sys.stdout)
    else:
        Console(width=None if sys.stdout.isatty() else _WIDE).print(table_of(found[:limit]))
    if len(found) > limit:
        typer.echo(f"There is more: only the first {limit} events are shown; see --limit.", err=True)


def export(
    sender: SenderOption = "",
    recipient: RecipientOption = "",
    person: PersonOption = "",
    message_id: MessageIdOption = "",
    queue_id: QueueIdOption = "",
    reference: ReferenceOption = "",
    rule: RuleOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    foi: Annotated[bool, typer.Option("--foi", help="Only counts by month, level, rule, route and end: no names.")] = (
        False
    ),
    as_format: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.JSON,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A new file; else it is printed.")
    ] = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Write events, or only counts, as JSON or CSV.

    Without a choice the whole audit.
    """
    asked = query(sender, recipient, person, message_id, queue_id, reference, rule, since, until)
    entries = _readable(search_trail(read_from(folder, config).trail, asked))
    with _target(output) as file:
        if foi:
            _write(as_format, COUNTED, (group_json(group, count) for group, count in counts(entries)), file)
        else:
            _write(as_format, FIELDS, map(entry_json, entries), file)


def _write(as_format: Format, names: tuple[str, ...], objects: Iterable[dict[str, Json]], file: TextIO) -> None:
    match as_format:
        case Format.JSON:
            write_json(objects, file)
        case Format.CSV:
            write_csv(names, objects, file)


@contextmanager
def _target(output: Path | None) -> Generator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        # It names people: nobody but the operator reads it.
        output.touch(mode=0o600, exist_ok=False)
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise Usage(f"cannot write {output}: {error.strerror}") from error


def _readable(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Raises Usage for what cannot be read."""
    try:
        yield from entries
    except (SpoolError, OSError) as error:
        raise Usage(f"the audit cannot be read: {error}") from error
