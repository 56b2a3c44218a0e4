"""What the registers' readers share: members that stand in one line only, names that are not taken, known words."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from gateway.config.names import Names, read_party
from gateway.config.registers.sheet import Sheet
from gateway.core.address import BadAddress
from gateway.core.domains import Group
from gateway.core.registers.directory import Directory, keyed, parse_member

MOST_ENTRIES: Final = 200_000
"""Of a register that is looked up by address."""

MOST_IN_ORDER: Final = 1_000
"""Of one whose entries are asked one after the other."""

_E = TypeVar("_E")


@dataclass(frozen=True, slots=True)
class Scope:
    """What entries can name. ``routes`` is None where those of today prove nothing: for a policy that was kept."""

    names: Names
    routes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Members(Generic[_E]):
    """Entries by their members as they are read; the second line of a member is a problem of the sheet.

    ``column`` is where members stand in a line; empty where a line is nothing but its member.
    """

    sheet: Sheet
    column: str
    entries: dict[str, _E] = field(default_factory=dict[str, _E])
    places: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, place: str, texts: Iterable[str], entry: _E) -> None:
        """Puts the entry of the line at ``place`` under each of its members."""
        key = f"{place}.{self.column}" if self.column else place
        for text in texts:
            try:
                member = _member(text)
            except BadAddress as exc:
                self.sheet.problem(key, str(exc))
                continue
            if member in self.places:
                self.sheet.problem(key, f"`{text}` stands at {self.places[member]} already")
            else:
                self.places[member] = place
                self.entries[member] = entry

    def directory(self) -> Directory[_E]:
        """All of them."""
        return keyed(self.entries)


def _member(text: str) -> str:
    """As `parse_member`; a word without a dot is what is left of a line that was cut off, and no domain."""
    member = parse_member(text)
    if "." not in member and not member.startswith("[") and "@" not in member:
        raise BadAddress(f"`{text}` is not an address, a domain or *.domain: a domain has a dot")
    return member


@dataclass(frozen=True, slots=True)
class Taken:
    """The names of the lines before: reports, rules and metrics tell entries apart by them."""

    sheet: Sheet
    places: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, place: str, name: str) -> None:
        """A problem of the sheet if an earlier line has the name."""
        other = self.places.setdefault(name, place)
        if other != place:
            self.sheet.problem(f"{place}.name", f"`{name}` stands at {other} already")


def read_levels(sheet: Sheet, place: str, words: Iterable[str], scope: Scope) -> frozenset[str]:
    """Levels of the policy; others are problems."""
    levels = frozenset(words)
    for level in sorted(levels.difference(scope.names.levels)):
        sheet.unknown(place, "level", level, scope.names.levels)
    return levels


def read_routes(sheet: Sheet, place: str, words: Iterable[str], scope: Scope) -> None:
    """A problem for each that is no route of the configuration."""
    for route in words:
        if scope.routes is not None and route not in scope.routes:
            sheet.unknown(place, "route", route, scope.routes)


def read_side(sheet: Sheet, place: str, word: str, scope: Scope) -> Group:
    """``group:<name>``, an address, a domain or ``*.domain``; nobody, and a problem, if it is none of them."""
    try:
        return read_party(word, scope.names)
    except ValueError as exc:
        sheet.problem(place, str(exc))
        return Group(word)
