"""How the audit is shown: a table for people, JSON for programs, CSV for spreadsheets; names are the chain's."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Final, TextIO

from rich.markup import escape
from rich.table import Table

from gateway.cli.evidence_view import Json
from gateway.core.audit_counts import Group
from gateway.core.audit_query import Entry
from gateway.core.audit_record import PERSONAL, Record

_HEAD: Final = ("When (UTC)", "Queue id", "What", "Who", "Rule", "Route", "Told")
FIELDS: Final = ("shard", "seq", *(field.name for field in fields(Record)), *PERSONAL, "taken")
"""The keys of an event, and the columns of a table."""
COUNTED: Final = (*(field.name for field in fields(Group)), "recipients")


def entry_json(entry: Entry) -> dict[str, Json]:
    """One event; every key is always there."""
    told: dict[str, Json] = {"shard": entry.shard, "seq": entry.seq, **asdict(entry.record), **asdict(entry.persons)}
    return {**told, "taken": [*sorted(entry.taken)]}


def group_json(group: Group, count: int) -> dict[str, Json]:
    """One line of what is counted."""
    return {**asdict(group), "recipients": count}


def write_json(objects: Iterable[dict[str, Json]], file: TextIO) -> None:
    """An array, an object a line, written as it comes."""
    start = "[\n"
    for each in objects:
        file.write(start + json.dumps(each))
        start = ",\n"
    file.write("[]\n" if start == "[\n" else "\n]\n")


def write_csv(names: tuple[str, ...], objects: Iterable[dict[str, Json]], file: TextIO) -> None:
    """With a line of names; lists are joined by spaces."""
    table = csv.writer(file)
    table.writerow(names)
    for each in objects:
        table.writerow([_cell(each[name]) for name in names])


def _cell(value: Json) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    text = "" if value is None else str(value)
    # A spreadsheet would run it as a formula, and whoever sends mail chooses the words.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def table_of(entries: Iterable[Entry]) -> Table:
    """A line for each event."""
    table = Table(box=None)
    for name in _HEAD:
        table.add_column(name, overflow="fold", no_wrap=name.startswith("When"))
    for entry in entries:
        table.add_row(*(escape("".join(char if char.isprintable() else "?" for char in cell)) for cell in _row(entry)))
    return table


def _row(entry: Entry) -> Iterator[str]:
    record, persons = entry.record, entry.persons
    yield f"{datetime.fromisoformat(record.at):%Y-%m-%d %H:%M:%S}"
    yield record.queue_id
    yield record.kind
    yield persons.recipient or persons.sender or ("(taken out)" if entry.taken else "")
    yield record.rule
    yield record.route or " > ".join(record.routes)
    yield words(entry)


def words(entry: Entry) -> str:
    """What the event says, in one line."""
    record, persons = entry.record, entry.persons
    level = f"{record.level} ({record.level_source})" if record.level else ""
    parts = (level, record.decision, record.outcome, record.cause, record.status, record.grade, record.end)
    return ", ".join(part for part in (*parts, persons.text) if part)
