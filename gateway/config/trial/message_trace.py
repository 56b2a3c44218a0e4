"""A message trace of Exchange or Microsoft 365 as CSV: who wrote to whom, when, how much; nothing else is in it.

Columns are known by several names, whichever tool wrote them; a message tracking log of Exchange names them in its
``#Fields:`` line. UTF-8 and UTF-16 are read, with comma, semicolon or tab.
"""

import codecs
import contextlib
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.core.address import Address, BadAddress, parse_address

_NAMES: Final = {
    "time": ("origintimestamputc", "received", "date", "datetimeutc", "datetime", "dateutc", "timestamp"),
    "sender": ("senderaddress", "sender", "from", "returnpath"),
    "recipients": ("recipientaddress", "recipients", "recipient", "recipientstatus", "to"),
    "size": ("totalbytes", "size", "messagesize", "bytes"),
}
_FIELDS: Final = "#Fields:"
_COMMENTS: Final = ("#Software:", "#Version:", "#Log-type:", "#Date:", _FIELDS)
"""They stand between the lines where several logs were put together."""
_TIMES: Final = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M")
_NEEDED: Final = ("sender", "recipients")
_LONGEST_CELL: Final = 4 * 1024 * 1024


class NoTrace(Exception):
    """The file is no message trace; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One line. ``sender`` None is the null reverse-path; ``at`` and ``size`` are None where they cannot be read.

    ``unreadable`` counts recipients that are no addresses.
    """

    sender: Address | None
    recipients: tuple[Address, ...]
    at: datetime | None
    size: int | None
    unreadable: int = 0


def read_trace(path: Path) -> Iterator[Traced | None]:
    """Each line in order, None for one whose sender cannot be read.

    Raises:
        NoTrace: a column is missing, or this is no CSV.
        OSError: the file cannot be read.
    """
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding=_encoding(path), newline="", errors="replace") as file:
        head = _head(file)
        separator = max(",;\t", key=head.count)
        columns = _columns(next(csv.reader([head], delimiter=separator), list[str]()))
        try:
            for row in csv.reader(file, delimiter=separator):
                if any(cell.strip() for cell in row) and not row[0].startswith(_COMMENTS):
                    yield _traced(row, columns)
        except csv.Error as error:
            raise NoTrace(f"this is not CSV: {error}") from error


def _head(lines: Iterator[str]) -> str:
    """The header: the first line that is no comment, or the comment that an Exchange server writes it as.

    PowerShell writes the type of its objects above it, as a comment too.
    """
    for line in lines:
        if line.startswith(_FIELDS):
            return line.removeprefix(_FIELDS).strip()
        if not line.startswith("#"):
            return line
    return ""


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _columns(head: Sequence[str]) -> dict[str, int]:
    names = [re.sub(r"[^a-z]", "", name.casefold()) for name in head]
    found = {
        what: names.index(known)
        for what, wanted in _NAMES.items()
        if (known := next((n for n in wanted if n in names), ""))
    }
    for what in _NEEDED:
        if what not in found:
            raise NoTrace(f"there is no column of {what}, such as {_NAMES[what][0]}")
    return found


def _traced(row: Sequence[str], columns: dict[str, int]) -> Traced | None:
    def cell(what: str) -> str:
        at = columns.get(what, len(row))
        return row[at].strip() if at < len(row) else ""

    sender = cell("sender")
    found, unreadable = _recipients(cell("recipients"))
    try:
        address = None if sender in ("", "<>") else parse_address(sender)
    except BadAddress:
        return None
    return Traced(
        sender=address, recipients=found, at=_time(cell("time")), size=_size(cell("size")), unreadable=unreadable
    )


def _recipients(text: str) -> tuple[tuple[Address, ...], int]:
    """``a@x.example##Receive, Send;b@y.example##…``, or addresses with ``;``, ``,`` or spaces between them."""
    pieces = text.split(";") if "##" in text else re.split(r"[;,\s]", text)
    found: dict[Address, None] = {}
    unreadable = 0
    for piece in pieces:
        address = piece.partition("##")[0].strip()
        try:
            if address:
                found[parse_address(address)] = None
        except BadAddress:
            unreadable += 1
    return tuple(found), unreadable


def _time(text: str) -> datetime | None:
    """ISO 8601, or the day first and 24 hours; what has AM or PM has the month first, and is left out."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _day_first(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day_first(text: str) -> datetime | None:
    for form in _TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    return None


def _size(text: str) -> int | None:
    digits = text.replace(",", "").replace(" ", "")
    return int(digits) if digits.isdecimal() and len(digits) < 16 else None
