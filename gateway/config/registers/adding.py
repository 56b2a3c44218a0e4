"""One more line for the register of exceptions, written as its file is: what stands there stays as it is."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.config.registers.sheet import is_csv
from gateway.core.sizes import exactly

COLUMNS: Final = ("route", "sender", "recipient", "up_to", "until", "reference", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewException:
    """An exception as it is asked for; ``up_to`` in bytes."""

    route: str
    sender: str
    recipient: str
    up_to: int
    until: date
    reference: str
    reason: str = ""

    def cells(self) -> dict[str, str]:
        """By column."""
        size = exactly(self.up_to).replace(" ", "")
        texts = (self.route, self.sender, self.recipient, size, self.until.isoformat(), self.reference, self.reason)
        return dict(zip(COLUMNS, texts, strict=True))


def with_exception(file: str, data: bytes, new: NewException) -> bytes:
    """The file's bytes with the exception at their end; an empty file gets what it needs.

    Raises:
        ValueError: the file has no column for a part of it, or its first line cannot be read.
    """
    end = b"\r\n" if b"\r\n" in data else b"\n"
    text = _csv_line(data, new) if is_csv(file) else _toml_table(new, first=not data.strip())
    kept = data if not data or data.endswith(b"\n") else data + end
    return kept + text.encode().replace(b"\n", end)


def _toml_table(new: NewException, *, first: bool) -> str:
    # A date stands without quotes; a text of JSON is one of TOML.
    lines = [
        f"{name} = {text if name == 'until' else json.dumps(text, ensure_ascii=False)}"
        for name, text in new.cells().items()
        if text
    ]
    return "\n".join([*([] if first else [""]), "[[exception]]", *lines, ""])


def _csv_line(data: bytes, new: NewException) -> str:
    cells = new.cells()
    head = _head(data)
    missing = [name for name, text in cells.items() if text and name not in (head or COLUMNS)]
    if missing:
        raise ValueError(f"the file has no column `{missing[0]}`; add it to its first line")
    lines = [[cells.get(name, "") for name in head or COLUMNS]]
    return _rows(lines if head else [list(COLUMNS), *lines])


def _head(data: bytes) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")), [""])]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ValueError("its first line cannot be read") from exc


def _rows(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
