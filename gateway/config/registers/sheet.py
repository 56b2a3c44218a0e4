"""A register file → its lines, each as a table: CSV whose first line names the columns, or TOML's array of tables.

Quoted cells, a byte order mark and any line ends are read (RFC 4180). Left out on purpose: other separators and other
encodings than UTF-8, because a guess that goes wrong moves a value into the wrong column.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, TypeVar

from pydantic import ValidationError

from gateway.config.page import Page, Strict, Table, as_list, as_table, did_you_mean
from gateway.config.problems import Problem

MOST_PROBLEMS: Final = 20
"""Of one file: a wrong column makes one in every line, and nobody reads fifty thousand."""

_T = TypeVar("_T", bound=Strict)


@dataclass(slots=True)
class Sheet(Page):
    """One register file under examination; ``more`` counts the problems that are not kept."""

    more: int = 0

    def problem(self, key: str, text: str) -> None:
        """See `Page`."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(file=self.file, key=key, text=text))
        else:
            self.more += 1

    def unknown(self, key: str, what: str, word: str, known: Iterable[str]) -> None:
        """See `Page`; the nearest word is only looked for where it will be said."""
        text = did_you_mean(word, known) if len(self.problems) < MOST_PROBLEMS else ""
        self.problem(key, f"unknown {what} `{word}`{text}")

    def said(self) -> Sequence[Problem]:
        """What is to be told of this file."""
        if not self.more:
            return self.problems
        rest = f"and {self.more} more {'problem' if self.more == 1 else 'problems'} like these"
        return (*self.problems, Problem(file=self.file, key="", text=rest))


@dataclass(frozen=True, slots=True)
class Columns:
    """What a line can name, and what it must."""

    known: frozenset[str]
    needed: tuple[str, ...]


def read_sheet(sheet: Sheet, data: bytes, entry: str, model: type[_T], most: int) -> Iterator[tuple[str, _T]]:
    """Each line that can be read, with its place such as ``line 3`` or ``partner[2]``.

    ``entry`` names the tables in TOML; more than ``most`` lines are a problem, and the others are not read.
    """
    lines = read_tables(sheet, data, entry, model)
    for number, (place, table) in enumerate(lines):
        if number >= most:
            sheet.problem(place, f"this register has at most {most} entries")
            return
        line = _validate(sheet, place, table, model)
        if line is not None:
            yield place, line


def is_csv(file: str) -> bool:
    """Whether the file's name says CSV."""
    return PurePath(file).suffix.casefold() == ".csv"


def read_tables(sheet: Sheet, data: bytes, entry: str, model: type[Strict]) -> Iterator[tuple[str, Table]]:
    """Each line with its place, as it stands there."""
    match PurePath(sheet.file).suffix.casefold():
        case ".csv":
            needed = tuple(name for name, field in model.model_fields.items() if field.is_required())
            yield from csv_lines(sheet, data, Columns(frozenset(model.model_fields), needed))
        case ".toml":
            yield from _toml_lines(sheet, data, entry)
        case _:
            sheet.problem("", "a register is a file whose name ends in .csv or .toml")


def _toml_lines(sheet: Sheet, data: bytes, entry: str) -> Iterator[tuple[str, Table]]:
    raw = sheet.toml(data) or {}
    for name in raw:
        if name != entry:
            sheet.unknown(name, "key", name, [entry])
    if not isinstance(raw.get(entry), list | None):
        sheet.problem(entry, f"each entry is a table [[{entry}]]")
    for number, table in enumerate(as_list(raw.get(entry)), start=1):
        yield f"{entry}[{number}]", as_table(table)


def csv_lines(sheet: Sheet, data: bytes, columns: Columns) -> Iterator[tuple[str, Table]]:
    """The lines of a CSV file; cells without text are left out, and so are lines without any.

    A line has as many cells as the first: one that was cut off would say less than somebody wrote, such as no end.
    """
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        head = [name.strip() for name in next(reader, list[str]())]
        if not _check_head(sheet, head, columns):
            return
        for row in reader:
            texts = [cell.strip() for cell in row]
            place = f"line {reader.line_num}"
            if any(texts) and len(texts) != len(head):
                sheet.problem(place, f"there are {_count(texts, 'cell')}, line 1 names {_count(head, 'column')}")
            elif any(texts):
                yield place, {name: text for name, text in zip(head, texts, strict=True) if text}
    except UnicodeDecodeError:
        sheet.problem("", "the file is not UTF-8 text")
    except csv.Error as exc:
        sheet.problem("", f"this is not CSV: {exc}")


def _count(items: Sequence[str], what: str) -> str:
    return f"{len(items)} {what}" if len(items) == 1 else f"{len(items)} {what}s"


def _check_head(sheet: Sheet, head: Sequence[str], columns: Columns) -> bool:
    before = len(sheet.problems)
    for number, name in enumerate(head, start=1):
        if name not in columns.known:
            sheet.problem("line 1", f"unknown column `{name}`{did_you_mean(name, columns.known)}")
        elif name in head[: number - 1]:
            sheet.problem("line 1", f"the column `{name}` stands there twice")
    for name in columns.needed:
        if name not in head:
            sheet.problem("line 1", f"the column `{name}` is missing")
    return len(sheet.problems) == before


def _validate(sheet: Sheet, place: str, table: Table, model: type[_T]) -> _T | None:
    try:
        return model.model_validate(table)
    except ValidationError as exc:
        if sheet.more:
            sheet.more += exc.error_count()
        else:
            sheet.report(exc, place, model)
    return None
