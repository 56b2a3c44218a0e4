"""The files of a chain: a folder for each shard, files named by the number of their first event and their day.

A line counts when its end is there. What stands behind the last line end is what a crash left of a line.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from gateway.core.audit_line import Malformed
from gateway.core.audit_link import Link, read_link

_BLOCK: Final = 64 * 1024


class ChainError(Exception):
    """A chain cannot be continued; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class ChainFile:
    """One file by its name."""

    path: Path
    first: int
    day: date


def shard_folder(folder: Path, shard: int) -> Path:
    """Where a shard's chain lies."""
    return folder / f"shard-{shard:03d}"


def shards_in(folder: Path) -> tuple[int, ...]:
    """The shards that have a chain."""
    return tuple(sorted(int(path.name[6:]) for path in folder.glob("shard-[0-9][0-9][0-9]")))


def file_name(first: int, day: date) -> str:
    """Names sort by the number."""
    return f"{first:012d}-{day.isoformat()}.jsonl"


def files_in(folder: Path) -> tuple[ChainFile, ...]:
    """A shard's files, oldest first; a folder that is not there has none."""
    found: list[ChainFile] = []
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        first, _, day = path.stem.partition("-")
        try:
            found.append(ChainFile(path, int(first), date.fromisoformat(day)))
        except ValueError:
            continue
    return tuple(found)


def last_line(path: Path) -> tuple[bytes, int]:
    """The last whole line without its end, and how many bytes of the file are whole lines."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        block = _BLOCK
        while True:
            start = max(0, size - block)
            file.seek(start)
            data = file.read(size - start)
            end = data.rfind(b"\n")
            begin = data.rfind(b"\n", 0, max(end, 0))
            if start == 0 or begin >= 0:
                return (data[begin + 1 : end] if end >= 0 else b""), start + end + 1
            block *= 2


def end_of(folder: Path) -> Link | None:
    """The last line of a shard's chain; None for one that has not begun.

    Raises:
        ChainError: it is not one of ours, or was changed.
    """
    for file in reversed(files_in(folder)):
        line, whole = last_line(file.path)
        if whole:
            return link_of(line, file.path)
    return None


def link_of(line: bytes, path: Path) -> Link:
    """The last line of that file. Raises ChainError."""
    try:
        return read_link(line)
    except Malformed as error:
        raise ChainError(f"the last line of {path} is damaged: {error}") from error


def exported(folder: Path, shard: int) -> int:
    """The number of the last event of a shard that is in its chain; 0 if that cannot be told."""
    try:
        end = end_of(shard_folder(folder, shard))
    except (ChainError, OSError):
        return 0
    return end.seq if end is not None else 0


@contextmanager
def alone(place: Path) -> Generator[None]:
    """Holds a shard's folder while one of its files is written or replaced; waits for whoever does."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
