"""What readers of registers are tried with."""

from collections.abc import Callable
from typing import TypeVar

from gateway.config.names import Names
from gateway.config.registers.entries import Scope
from gateway.config.registers.sheet import Sheet
from gateway.core.domains import Group, parse_party
from tests.fixtures.build import INSIDE, LEVELS

_T = TypeVar("_T")

LEGAL = Group("group:legal", frozenset({"law@council.example"}))
SCOPE = Scope(Names(LEVELS, {"legal": LEGAL, "courts": parse_party("*.court.example")}, INSIDE), frozenset({"secure"}))


def read(reader: Callable[[Sheet, bytes, Scope], _T], text: str, file: str = "r.csv") -> tuple[_T, list[str]]:
    """What a reader made of a file, and its problems."""
    sheet = Sheet(file)
    found = reader(sheet, text.encode(), SCOPE)
    return found, [f"{problem.key}: {problem.text}" for problem in sheet.said()]


def good(reader: Callable[[Sheet, bytes, Scope], _T], text: str, file: str = "r.csv") -> _T:
    """The same of a file without problems."""
    found, problems = read(reader, text, file)
    assert problems == []
    return found


def bad(reader: Callable[[Sheet, bytes, Scope], _T], text: str, file: str = "r.csv") -> list[str]:
    """The problems of a file that has some."""
    problems = read(reader, text, file)[1]
    assert problems
    return problems
