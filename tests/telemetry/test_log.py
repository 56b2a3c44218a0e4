"""The log writes one whole JSON object a line, and never stops anything."""

import asyncio
import contextlib
import io
import json
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging, describe


class Lines(LogFile):
    def __init__(self) -> None:
        super().__init__(-1)
        self.bytes = io.BytesIO()

    def write(self, line: bytes) -> None:
        self.bytes.write(line)

    @property
    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.bytes.getvalue().splitlines()]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def standard_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_has_time_level_event_and_its_fields(lines: Lines) -> None:
    Log(lines, Level.INFO, slot=1).info("accepted", queue_id="000-a", size=5)
    [line] = lines.objects
    assert list(line) == ["time", "level", "event", "slot", "queue_id", "size"]
    assert datetime.fromisoformat(str(line["time"])).tzinfo is not None
    assert line["size"] == 5


def test_fields_without_a_value_are_left_out(lines: Lines) -> None:
    Log(lines, Level.INFO).info("attempt", cause=None, code=0, verified=False)
    [line] = lines.objects
    assert "cause" not in line
    assert (line["code"], line["verified"]) == (0, False)


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    log = Log(lines, Level.WARNING)
    log.info("two")
    log.warning("three")
    log.error("four")
    assert [line["event"] for line in lines.objects] == ["three", "four"]


def test_control_and_foreign_characters_cannot_break_a_line(lines: Lines) -> None:
    Log(lines, Level.INFO).info("refused", client="a\r\nb\x1b[31m\u2028é")
    assert lines.bytes.getvalue().count(b"\n") == 1
    assert lines.bytes.getvalue().isascii()
    assert b"\x1b" not in lines.bytes.getvalue()
    assert lines.objects[0]["client"] == "a\r\nb\x1b[31m\u2028é"


def test_what_json_does_not_know_is_written_as_text(lines: Lines) -> None:
    Log(lines, Level.INFO).info("x", level_of=Level.ERROR, path=os.path, who={"a"})
    assert lines.objects[0]["who"] == ["a"]
    assert str(lines.objects[0]["path"]).startswith("<module 'posixpath'")


def test_whole_lines_reach_the_descriptor_at_once() -> None:
    reading, writing = os.pipe()
    Log(LogFile(writing), Level.INFO).info("stopped")
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert json.loads(stream.readline())["event"] == "stopped"


async def test_what_one_turn_has_to_say_is_written_together_in_pieces_that_a_pipe_takes_whole() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        log = Log(LogFile(ours.fileno()), Level.INFO)
        for number in range(100):
            log.info("x", number=number, text="y" * 50)
        log.info("long", text="y" * 2 * select.PIPE_BUF)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.info("next")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        theirs.setblocking(False)
        pieces: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while piece := theirs.recv(65536):
                pieces.append(piece)
    assert all(len(piece) <= select.PIPE_BUF for piece in pieces)
    assert all(piece.endswith(b"\n") for piece in pieces if b'"x"' in piece) and len(pieces) < 20
    told = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [line.get("number") for line in told] == [*range(100), None, None]
    assert pieces[-1].count(b"\n") == 1


def test_a_log_that_is_gone_stops_nothing_and_is_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = LogFile(writing)
    log = Log(file, Level.INFO)
    log.info("one")
    log.info("two")
    os.close(writing)
    assert file.lost == 2


def test_an_exception_is_described_without_its_text_along_its_causes() -> None:
    try:
        try:
            raise ValueError("the subject")
        except ValueError as first:
            raise OSError(28, "No space left on device", "/spool/x") from first
    except OSError as error:
        text = describe(error)
    assert text.startswith("OSError(No space left on device) at ")
    assert " <- ValueError at " in text
    assert "test_log.py:" in text
    assert "the subject" not in text


def test_an_exception_that_was_never_raised_is_its_type() -> None:
    assert describe(KeyError("x")) == "KeyError"


def test_a_group_tells_its_members() -> None:
    group = ExceptionGroup("the subject", [ValueError("the text"), ExceptionGroup("", [OSError(2, "No such file")])])
    assert describe(group) == "ExceptionGroup[ValueError; ExceptionGroup[FileNotFoundError(No such file)]]"


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError(), TypeError()
    one.__cause__, two.__cause__ = two, one
    assert describe(one) == "ValueError <- TypeError"


def test_a_deep_recursion_is_cut_to_its_innermost_frames() -> None:
    def deeper(level: int) -> None:
        if level == 0:
            raise RecursionError
        deeper(level - 1)

    try:
        deeper(200)
    except RecursionError as error:
        assert describe(error).count(" deeper") == 20


def test_what_libraries_log_becomes_lines_without_their_arguments(lines: Lines, standard_logging: None) -> None:
    adopt_standard_logging(Log(lines, Level.INFO))
    logging.getLogger("library.part").info("too quiet")
    logging.getLogger("library.part").warning("could not parse %r", "the subject")
    try:
        raise ValueError("the text")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: <Task the text>")
    quiet, loud = lines.objects
    assert quiet["event"] == "library"
    assert (quiet["logger"], quiet["words"]) == ("library.part", "could not parse %r")
    assert loud["words"] == "Task exception was never retrieved"
    assert str(loud["error"]).startswith("ValueError at ")
    assert b"the subject" not in lines.bytes.getvalue()
    assert b"the text" not in lines.bytes.getvalue()


def test_a_log_that_nobody_reads_stops_nothing_and_goes_on_when_it_is_read_again() -> None:
    reading, writing = os.pipe()
    file = LogFile(writing)
    log = Log(file, Level.INFO)
    # With nobody reading, this is far more than a pipe holds; the last lines are longer than what it takes at once.
    for _ in range(2000):
        log.info("x", text="y" * 100)
    log.info("x", text="y" * 100_000)
    assert 0 < file.lost < 2001
    kept = 2001 - file.lost
    lines = b""
    while lines.count(b"\n") < kept:
        lines += os.read(reading, 65536)
    lost = file.lost
    log.info("back")
    assert file.lost == lost
    assert os.read(reading, 65536).endswith(b'"event":"back"}\n')
    os.close(writing)
    os.close(reading)


def test_threads_that_write_at_once_lose_and_break_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(select, "poll", _OneAtATime)
    log = Log(LogFile(writer), Level.INFO)
    with ThreadPoolExecutor(8) as pool:
        # Each line is written by a thread without a loop; all of them go into a pipe (64 KiB) that nobody reads yet.
        said = [pool.submit(log.info, "line", number=number) for number in range(400)]
    os.close(writer)
    for one in said:
        one.result()
    with os.fdopen(reader, "rb") as lines:
        assert sorted(json.loads(line)["number"] for line in lines) == list(range(400))


class _OneAtATime:
    """A poll object as CPython's: a second call while one is under way is an error; here a call takes a moment."""

    def __init__(self) -> None:
        self._busy = threading.Lock()

    def register(self, descriptor: int, events: int) -> None:
        assert (descriptor >= 0, events) == (True, select.POLLOUT)

    def poll(self, wait: float) -> list[tuple[int, int]]:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("concurrent poll() invocation")
        try:
            time.sleep(wait + 0.0001)
            return [(1, select.POLLOUT)]
        finally:
            self._busy.release()
