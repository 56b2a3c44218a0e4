"""The log: one JSON object a line, formatted once, to a file descriptor that several workers share.

Left out on purpose: rotation and shipping (journald or the container's runtime do both), and everything a message
contains. No caller hands over a subject, text, attachment name or label value, and the text of an unexpected exception
is not written either, because it may quote the bytes that broke us: its type and the places it went through are.
"""

import asyncio
import json
import logging
import os
import select
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, cast

from pydantic_core import to_json

_FRAMES: Final = 20
"""How many of the innermost frames of a traceback are written; recursion must not flood the log."""


class Level(IntEnum):
    """The least that is written; the values are the standard library's."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class LogFile:
    """Writes whole lines to a descriptor, so that lines of several processes do not mix (up to PIPE_BUF on a pipe).

    What one turn of an event loop has to say is written at its end, together. A log that cannot be written, or not at
    once, never stops mail: the lines are counted in ``lost`` and forgotten. The descriptor stays blocking, because the
    processes that share it would see the change.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._room = select.poll()
        if descriptor >= 0:
            self._room.register(descriptor, select.POLLOUT)
        # Threads write too: a poll object serves one at a time, and room that one saw another may not use up.
        self._turn = threading.Lock()
        self._waiting: list[bytes] = []
        self.lost = 0

    def write(self, line: bytes) -> None:
        """Takes a line; waits for nobody."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # Another thread, or no loop: nobody would write it later.
            self._write([line])
            return
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(line)

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        for some in _together(lines):
            rest = b"".join(some)
            try:
                with self._turn:
                    while rest:
                        self._check_room()
                        # A pipe that has room has room for this much.
                        rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
            except OSError:
                self.lost += len(some)

    def _check_room(self) -> None:
        """Raises BlockingIOError when a write would wait for the reader."""
        if not self._room.poll(0):
            raise BlockingIOError


def _together(lines: list[bytes]) -> Iterator[list[bytes]]:
    """As many as go into a pipe in one piece; a longer line goes alone."""
    some: list[bytes] = []
    size = 0
    for line in lines:
        if some and size + len(line) > select.PIPE_BUF:
            yield some
            some, size = [], 0
        some.append(line)
        size += len(line)
    yield some


class Log:
    """Writes lines that are at least of a level; every line carries the context (the worker's slot)."""

    def __init__(self, file: LogFile, level: Level, **context: str | int) -> None:
        self._file = file
        self._level = level
        self._context = context

    def bind(self, **context: str | int) -> "Log":
        """The same log, with more that every line carries."""
        return Log(self._file, self._level, **self._context, **context)

    def info(self, event: str, **fields: object) -> None:
        """What happens all day."""
        if self._level <= Level.INFO:
            self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """What somebody should look at."""
        if self._level <= Level.WARNING:
            self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """What must not be."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        """The one line of an event: time, level, event, fields that are not None."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": time, "level": level, "event": event, **self._context}
        line.update((name, value) for name, value in fields.items() if value is not None)
        self._file.write(_encode(line))


def _encode(line: dict[str, object]) -> bytes:
    """One line of JSON in ASCII: a terminal obeys nothing in it."""
    encoded = to_json(line, fallback=str, inf_nan_mode="constants", serialize_unknown=True)
    if not encoded.isascii():
        encoded = json.dumps(line, separators=(",", ":"), default=str).encode("ascii")
    return encoded + b"\n"


def describe(error: BaseException) -> str:
    """An exception as the log may hold it: types and places of itself, its causes and its group's members."""
    return " <- ".join(_describe_one(link) for link in _chain(error))


def _describe_one(error: BaseException) -> str:
    # What the operating system says names an errno and a path of ours; any other text may quote a message.
    name = type(error).__name__
    if isinstance(error, OSError):
        name = f"{name}({error.strerror})"
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        name = f"{name}[{'; '.join(describe(member) for member in group.exceptions)}]"
    walk = traceback.walk_tb(error.__traceback__)
    frames = traceback.StackSummary.extract(walk, limit=-_FRAMES, lookup_lines=False)
    places = ", ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{name} at {places}" if places else name


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


class _Forward(logging.Handler):
    """Hands the records of libraries on as lines of ours: their logger and their own words, never their arguments."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # The unformatted first line is the library's own sentence; arguments and further lines may quote a message.
        words = str(record.msg).partition("\n")[0][:200]
        self._log.warning("library", logger=record.name, words=words, error=describe(error) if error else None)


def adopt_standard_logging(log: Log) -> None:
    """Sends what libraries log at WARNING and above through ``log``, and nothing of theirs anywhere else."""
    logging.basicConfig(handlers=[_Forward(log)], level=logging.WARNING, force=True)
