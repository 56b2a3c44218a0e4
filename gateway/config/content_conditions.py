"""Readers of the conditions on content (attached files, links, subject, text, header), and on where and when."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from gateway.config.names import Names, Reader, read_known, read_party, read_words
from gateway.config.page import Table, as_table, did_you_mean
from gateway.config.units import read_size
from gateway.core.conditions.base import Condition
from gateway.core.conditions.content import DAYS, AttachmentCountIsOver, ListenerIs, TimeIs, VisibleOver
from gateway.core.conditions.logic import All
from gateway.core.conditions.message import Finds
from gateway.core.detect.base import DEFAULT_TEXT
from gateway.core.detect.files import FileIs
from gateway.core.detect.header import HeaderSays
from gateway.core.detect.links import LinksTo
from gateway.core.detect.patterns import PATTERNS
from gateway.core.detect.subject import SubjectHolds, SubjectMarked
from gateway.core.detect.text import TextHolds
from gateway.core.domains import DomainSet, Group

_T = TypeVar("_T")

# The most text that a rule may have read: detectors look at it while the sender waits.
_MOST_TEXT: Final = 1024 * 1024
# RFC 5322 section 3.6.8: printable ASCII without the colon.
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _listener(value: object, _names: Names) -> Condition:
    return ListenerIs(frozenset(read_words(value)))


def _attachments(value: object, _names: Names) -> Condition:
    """Name, type, ctf and locked are asked of one and the same file."""
    table = _table(value, ("count_over", "any", "name", "type", "ctf", "locked"), '{ name = ["*.xml"] }')
    parts: list[Condition] = []
    if "count_over" in table:
        parts.append(AttachmentCountIsOver(_number(table["count_over"])))
    if _is_on(table, "any"):
        parts.append(AttachmentCountIsOver(0))
    file = FileIs(
        names=_given(table, "name", read_words, ()),
        types=_given(table, "type", _types, ()),
        ctf=_is_on(table, "ctf"),
        locked=_is_on(table, "locked"),
    )
    if file != FileIs():
        parts.append(Finds(file))
    return _all(parts)


def _links(value: object, names: Names) -> Condition:
    table = _table(value, ("to", "except"), '{ to = "group:cloud" }', needed=("to",))
    exempt = _hosts(table["except"], names) if "except" in table else ()
    return Finds(LinksTo(to=_hosts(table["to"], names), exempt=exempt))


def _subject(value: object, _names: Names) -> Condition:
    table = _table(value, ("pattern", "mark"), '{ pattern = "nhs-number" }')
    parts: list[Condition] = []
    if "pattern" in table:
        parts.append(Finds(SubjectHolds(_patterns(table["pattern"]))))
    if "mark" in table:
        parts.append(Finds(SubjectMarked(read_words(table["mark"]))))
    return _all(parts)


def _text(value: object, _names: Names) -> Condition:
    table = _table(value, ("pattern", "first"), '{ pattern = "nhs-number" }', needed=("pattern",))
    first = _given(table, "first", read_size, DEFAULT_TEXT)
    if not 0 < first <= _MOST_TEXT:
        raise ValueError("`first` is a size up to 1MiB, because the sender waits while it is read")
    return Finds(TextHolds(_patterns(table["pattern"]), first))


def _header(value: object, _names: Names) -> Condition:
    example = '{ name = "X-Handling", value = "internal only" }'
    table = _table(value, ("name", "value"), example, needed=("name",))
    name = table["name"]
    if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
        raise ValueError("`name` is one header field's name, without the colon")
    return Finds(HeaderSays(name, read_words(table["value"]) if "value" in table else ()))


def _visible(value: object, names: Names) -> Condition:
    table = _table(value, ("outside_over", "free_mail"), "{ outside_over = 10 }", needed=("outside_over",))
    groups = _hosts(table["free_mail"], names) if "free_mail" in table else ()
    free_mail = DomainSet(
        frozenset[str]().union(*(group.domains.exact for group in groups)),
        frozenset[str]().union(*(group.domains.below for group in groups)),
    )
    return VisibleOver(_number(table["outside_over"]), names.organisation, free_mail)


def _time(value: object, _names: Names) -> Condition:
    example = '{ from = "08:00", to = "18:00", zone = "Europe/London" }'
    table = _table(value, ("from", "to", "days", "zone"), example, needed=("from", "to", "zone"))
    days = _given(table, "days", lambda words: read_known(words, DAYS, "day"), DAYS)
    return TimeIs(
        begin=_clock(table["from"]),
        end=_clock(table["to"]),
        days=frozenset(DAYS.index(day) for day in days),
        zone=_zone(table["zone"]),
    )


CONTENT_READERS: Final[Mapping[str, Reader]] = {
    "listener": _listener,
    "attachments": _attachments,
    "links": _links,
    "subject": _subject,
    "text": _text,
    "header": _header,
    "visible": _visible,
    "time": _time,
}


def _table(value: object, known: Iterable[str], example: str, needed: Iterable[str] = ()) -> Table:
    """A table that is not empty, of known keys only, with all that are needed."""
    table = as_table(value)
    for name in table:
        if name not in known:
            raise ValueError(f"unknown key `{name}`{did_you_mean(name, known)}")
    if not table or any(name not in table for name in needed):
        raise ValueError(f"this is a table such as {example}")
    return table


def _given(table: Table, name: str, read: Callable[[object], _T], default: _T) -> _T:
    return read(table[name]) if name in table else default


def _is_on(table: Table, name: str) -> bool:
    if name in table and table[name] is not True:
        raise ValueError(f"`{name}` can only be true; for the opposite put `not` around the condition")
    return name in table


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("this is a whole number, such as 10")
    return value


def _types(value: object) -> tuple[str, ...]:
    words = read_words(value)
    for word in words:
        if word.count("/") != 1:
            raise ValueError(f"`{word}` is no type such as application/pdf or image/*")
    return words


def _patterns(value: object) -> tuple[str, ...]:
    return read_known(value, PATTERNS, "pattern")


def _hosts(value: object, names: Names) -> tuple[Group, ...]:
    groups = tuple(read_party(word, names) for word in read_words(value))
    for group in groups:
        if group.domains == DomainSet():
            raise ValueError(f"{group.label} has no domains")
    return groups


def _clock(value: object) -> time:
    if isinstance(value, time) and value.tzinfo is None:
        return value
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time of day is such as "08:00"')
    return time(int(match[1]), int(match[2]))


def _zone(value: object) -> ZoneInfo:
    known = available_timezones()
    if not isinstance(value, str) or value not in known:
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ValueError('`zone` is the name of a time zone, such as "Europe/London"' + (near if "?" in near else ""))
    return ZoneInfo(value)
