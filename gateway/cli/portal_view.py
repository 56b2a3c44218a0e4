"""How `sealpost portal` shows packages: a table for people, JSON for programs; no word of a message in either."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from gateway.cli.evidence_view import Json
from gateway.core.given_name import given_name
from gateway.core.sealed import Happened, Happening, Reader
from gateway.core.sizes import roughly

_HEAD: Final = ("PACKAGE", "RECIPIENT", "SENDER", "STATE", "OPENED", "UNTIL (UTC)", "SIZE")
_BY_READERS: Final = frozenset({Happening.OPENED, Happening.DOWNLOADED, Happening.REPLIED, Happening.DISOWNED})


def reader_table(readers: Sequence[Reader]) -> str:
    """One line for each recipient; names are whole, so that they can be copied into the next command."""
    return in_columns([_HEAD, *map(_row, readers)])


def in_columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (zip(row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in lines)


def _row(reader: Reader) -> tuple[str, ...]:
    return (
        reader.package,
        str(reader.address),
        str(reader.sender),
        reader.access.value,
        f"{reader.opened}, first {_when(reader.opened_at)}" if reader.opened_at else "no",
        _when(reader.expires_at),
        roughly(reader.size),
    )


def history_lines(history: Sequence[Happened]) -> Iterator[str]:
    """Oldest first."""
    for happened in history:
        to = f"  recipient {happened.number}" if happened.number is not None else ""
        detail = f"  {happened.detail}" if happened.detail else ""
        text = f"{_when(happened.at)}  {happened.what}{to}{_who(happened)}{detail}"
        # What is kept may hold anything.
        yield "".join(char if char.isprintable() else "?" for char in text)


def _who(happened: Happened) -> str:
    """An operator, or the name that a reader gave, which may be any operator's."""
    if happened.what not in _BY_READERS:
        return f"  by {happened.who}" if happened.who else ""
    name = given_name(happened.who)
    return f'  gave the name "{name}"' if name else ""


def reader_json(reader: Reader) -> dict[str, Json]:
    """One recipient."""
    return {
        "package": reader.package,
        "queue_id": reader.queue_id,
        "recipient": str(reader.address),
        "number": reader.number,
        "sender": str(reader.sender),
        "level": reader.level,
        "route": reader.route,
        "access": reader.access.value,
        "unlock": reader.unlock.value,
        "sealed_at": reader.sealed_at.isoformat(),
        "expires_at": reader.expires_at.isoformat(),
        "opened": reader.opened,
        "opened_at": reader.opened_at.isoformat() if reader.opened_at else None,
        "downloaded": reader.downloaded,
        "downloads": reader.downloads,
        "bytes": reader.size,
    }


def package_json(package: str, readers: Sequence[Reader], history: Sequence[Happened]) -> dict[str, Json]:
    """A package with its history."""
    return {
        "package": package,
        "readers": [reader_json(reader) for reader in readers],
        "history": [
            {
                "at": happened.at.isoformat(),
                "number": happened.number,
                "what": happened.what.value,
                "who": happened.who,
                "detail": happened.detail,
            }
            for happened in history
        ],
    }


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
