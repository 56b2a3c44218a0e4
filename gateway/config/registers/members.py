"""The file of a group: one member a line (.txt, with # comments), a column (.csv) or a list (.toml) of members."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from gateway.config.page import as_list
from gateway.config.registers.entries import MOST_ENTRIES, Members
from gateway.config.registers.lines import MemberLine
from gateway.config.registers.sheet import Columns, Sheet, csv_lines
from gateway.core.domains import DomainSet, Group

# A # within an address belongs to it.
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


def read_members(sheet: Sheet, data: bytes) -> Group:
    """Those whom the file names, as a group without a label."""
    members: Members[None] = Members(sheet, "")
    for number, (place, text) in enumerate(_lines(sheet, data)):
        if number >= MOST_ENTRIES:
            sheet.problem(place, f"a group has at most {MOST_ENTRIES} members")
            break
        members.add(place, (text,), None)
    found = members.directory()
    domains = DomainSet(frozenset(found.domains), frozenset(found.below))
    return Group("", addresses=frozenset(found.addresses), domains=domains)


def _lines(sheet: Sheet, data: bytes) -> Iterator[tuple[str, str]]:
    match PurePath(sheet.file).suffix.casefold():
        case ".txt":
            return _text(sheet, data)
        case ".csv":
            return _column(sheet, data)
        case ".toml":
            return _listed(sheet, data)
        case _:
            sheet.problem("", "the file of a group is one whose name ends in .txt, .csv or .toml")
            return iter(())


def _text(sheet: Sheet, data: bytes) -> Iterator[tuple[str, str]]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        sheet.problem("", "the file is not UTF-8 text")
        return
    for number, line in enumerate(lines, start=1):
        member = _COMMENT.sub("", line).strip()
        if member:
            yield f"line {number}", member


def _column(sheet: Sheet, data: bytes) -> Iterator[tuple[str, str]]:
    known = frozenset(MemberLine.model_fields)
    for place, cells in csv_lines(sheet, data, Columns(known, tuple(known))):
        yield place, str(cells["member"])


def _listed(sheet: Sheet, data: bytes) -> Iterator[tuple[str, str]]:
    raw = sheet.toml(data) or {}
    for name in raw:
        if name != "members":
            sheet.unknown(name, "key", name, ["members"])
    if not isinstance(raw.get("members"), list | None):
        sheet.problem("members", "this is a list in square brackets")
    for number, member in enumerate(as_list(raw.get("members")), start=1):
        if isinstance(member, str):
            yield f"members[{number}]", member
        else:
            sheet.problem(f"members[{number}]", "this is a text in quotes")
