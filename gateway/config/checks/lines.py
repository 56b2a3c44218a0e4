"""Where in a TOML file a key stands: for people who are told of a problem.

A small scanner and no parser: it knows tables, keys, and how far a value goes. The file is TOML already, or as much of
it as could be read; for a key inside a value it is the line where the value begins.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway.config.page import dotted
from gateway.config.problems import Problem

_PART: Final = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_OPENS: Final = "[{"
_CLOSES: Final = "]}"
_QUOTES: Final = ('"""', "'''", '"', "'")


def key_lines(text: str) -> Mapping[str, int]:
    """The line, from 1, of every table and key, by its dotted name as problems say it."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in _statements(text):
        stripped = line.strip()
        if stripped.startswith("[["):
            table = _resolved(_parts(stripped[2:]), counts, found, number)
            counts[table] = counts.get(table, 0) + 1
            table = dotted_at(table, counts[table])
            found.setdefault(table, number)
        elif stripped.startswith("["):
            table = _resolved(_parts(stripped[1:]), counts, found, number)
        elif parts := _parts(stripped):
            key = table
            for part in parts:
                key = dotted(key, part) if key else part
                found.setdefault(key, number)
    return found


def line_of(key: str, lines: Mapping[str, int]) -> int | None:
    """The line of the key or, if it does not stand there, of the nearest table around it."""
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return lines.get(key)


class Places:
    """Says problems with their lines; each file is read once, and one that cannot be read has no lines."""

    def __init__(self) -> None:
        self._lines: dict[str, Mapping[str, int]] = {}

    def told(self, problem: Problem) -> str:
        """The problem in one line, as ``file:line: key: text``."""
        number = line_of(problem.key, self._of(problem.file)) if problem.key else None
        place = f"{problem.file}:{number}" if number is not None else problem.file
        return f"{place}: {problem.key}: {problem.text}" if problem.key else f"{place}: {problem.text}"

    def _of(self, file: str) -> Mapping[str, int]:
        if file not in self._lines:
            try:
                text = Path(file).read_text() if file.endswith(".toml") else ""
            except (OSError, ValueError):
                text = ""
            self._lines[file] = key_lines(text)
        return self._lines[file]


def dotted_at(table: str, number: int) -> str:
    """The name of one table of an array, counted from 1."""
    return f"{table}[{number}]"


def _resolved(parts: list[str], counts: Mapping[str, int], found: dict[str, int], number: int) -> str:
    """The name of a table whose parents may be the latest of an array; those not seen before begin here too."""
    name = ""
    for at, part in enumerate(parts):
        name = dotted(name, part) if name else part
        found.setdefault(name, number)
        if at < len(parts) - 1 and name in counts:
            name = dotted_at(name, counts[name])
    return name


def _parts(text: str) -> list[str]:
    """The names of a dotted key at the beginning of the text."""
    parts: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        parts.append(match[1] or match[2] or match[3] or "")
        at = match.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    return parts


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The lines that begin something, with their numbers: none inside of a value that goes over several."""
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if depth == 0 and not quote and line.strip() and not line.lstrip().startswith("#"):
            yield number, line
            if line.lstrip().startswith("["):
                continue
            line = line.partition("=")[2] if not line.lstrip().startswith(("'", '"')) else _behind_key(line)
        depth, quote = _follow(line, depth, quote)


def _behind_key(line: str) -> str:
    """What stands behind the ``=`` of a key in quotes."""
    at = 0
    while match := _PART.match(line, at):
        at = match.end()
        if line[at : at + 1] != ".":
            break
        at += 1
    return line[at + 1 :]


def _follow(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How deep in brackets, and in which quotes, the end of the line is."""
    at = 0
    while at < len(line):
        if quote:
            if line[at] == "\\" and quote[0] == '"':
                at += 2
            elif line.startswith(quote, at):
                at, quote = at + len(quote), ""
            else:
                at += 1
        elif line[at] == "#":
            break
        elif opened := next((each for each in _QUOTES if line.startswith(each, at)), ""):
            at, quote = at + len(opened), opened
        else:
            depth += (line[at] in _OPENS) - (line[at] in _CLOSES)
            at += 1
    # Short strings end with their line, whatever the file says.
    return max(depth, 0), quote if len(quote) == 3 else ""
