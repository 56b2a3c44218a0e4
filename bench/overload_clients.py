"""The clients of `bench.overload`: a crowd that holds on to its connections, senders that come too often, a good one.

A sender makes one try a connection and does not come again; of the good one's messages each is tried until it is taken.
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from bench.load import RECIPIENT, SENDER
from bench.soak_sink import NUMBER

_BODY = (b"x" * 76 + b"\r\n") * 130
_PATIENCE = 60.0
_MOST_AT_ONCE = 3000
_AGAIN = 1.0
"""Seconds until somebody who was turned away comes again."""


class Outcome(Enum):
    """What became of one try."""

    ACCEPTED = auto()
    BUSY = auto()  # 421
    NO_ROOM = auto()  # 452
    LATER = auto()  # any other answer that is no yes
    BROKEN = auto()  # no answer at all


_BY_CODE = {b"421": Outcome.BUSY, b"452": Outcome.NO_ROOM}


class _Answered(Exception):
    """An answer that is no yes."""


@dataclass(slots=True)
class Sent:
    """``acknowledged`` are the numbers of the messages that were, ``waits`` the seconds of each such try."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    outcomes: Counter[Outcome] = field(default_factory=Counter[Outcome])
    acknowledged: set[int] = field(default_factory=set[int])
    waits: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int, address: str) -> "Line":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        return cls(reader=reader, writer=writer)

    async def ask(self, words: bytes, *codes: bytes) -> None:
        """Says it and hears those answers. Raises _Answered, OSError, EOFError."""
        self.writer.write(words)
        for code in codes:
            while (line := await self.reader.readline())[3:4] == b"-":
                pass
            if not line:
                raise EOFError
            if line[:3] != code:
                raise _Answered(line[:3])

    async def message(self, number: int) -> None:
        """One message of 10 KiB. Raises as `ask`."""
        await self.ask(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode(), b"250", b"250", b"354")
        head = f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nMessage-ID: <{number}@overload>\r\n{NUMBER}: {number}\r\n\r\n"
        await self.ask(head.encode() + _BODY + b".\r\n", b"250")


async def attempt(port: int, address: str, sent: Sent) -> Outcome:
    """One connection with one message."""
    number, begin = next(sent.numbers), time.monotonic()
    outcome = Outcome.BROKEN
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await Line.open(port, address)
            try:
                await line.ask(b"", b"220")
                await line.ask(b"EHLO overload.council.example\r\n", b"250")
                await line.message(number)
                outcome = Outcome.ACCEPTED
                sent.acknowledged.add(number)
                sent.waits.append(time.monotonic() - begin)
                line.writer.write(b"QUIT\r\n")
            finally:
                line.writer.close()
    except _Answered as answer:
        outcome = _BY_CODE.get(answer.args[0], Outcome.LATER)
    except (OSError, EOFError, TimeoutError):
        pass
    sent.outcomes[outcome] += 1
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """``rate`` is in tries a second."""

    addresses: Iterator[str]
    rate: float
    seconds: float


async def closed_loop(port: int, addresses: Iterator[str], sent: Sent, seconds: float) -> None:
    """One client that begins a message when the one before has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await attempt(port, next(addresses), sent)


async def open_loop(tries: asyncio.TaskGroup, port: int, sent: Sent, pace: Pace) -> int:
    """Begins tries whatever becomes of the ones before, but leaves out those that would be too many under way.

    Returns how many it began: on a machine that it shares with the gateway these are fewer than were wanted.
    """
    begin, due, begun = time.monotonic(), 0, 0
    under_way: set[asyncio.Task[Outcome]] = set()
    while (passed := time.monotonic() - begin) < pace.seconds:
        while due < passed * pace.rate:
            due += 1
            if len(under_way) < _MOST_AT_ONCE:
                begun += 1
                task = tries.create_task(attempt(port, next(pace.addresses), sent))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        await asyncio.sleep(0.005)
    return begun


async def good_client(port: int, address: str, sent: Sent, tries: Counter[int]) -> None:
    """A message each second, tried until it is taken; ``tries`` counts messages by how many that took. For ever."""
    while True:
        count = 1
        while await attempt(port, address, sent) is not Outcome.ACCEPTED:
            count += 1
            await asyncio.sleep(_AGAIN)
        tries[count] += 1
        await asyncio.sleep(1)


class Habit(Enum):
    """What one of the crowd does with its connection: before it is repeated, again and again, and how often."""

    IDLE = (b"", b"", 60.0)
    COMMANDS = (b"EHLO crowd\r\n", b"N", 1.0)
    CONTENT = (
        f"EHLO crowd\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode(),
        b"a",
        1.0,
    )


async def hold(port: int, address: str, habit: Habit, held: set[int], number: int) -> None:
    """Holds a connection as long as it can, then comes again; ``held`` are the numbers that have one. For ever."""
    begin, drop, pause = habit.value
    while True:
        with contextlib.suppress(OSError, EOFError, _Answered):
            line = await Line.open(port, address)
            try:
                await line.ask(b"", b"220")
                await line.ask(begin)
                held.add(number)
                await _drip(line, drop, pause)
            finally:
                held.discard(number)
                line.writer.transport.abort()
        await asyncio.sleep(_AGAIN)


async def _drip(line: Line, drop: bytes, pause: float) -> None:
    """Until the server has closed; raises EOFError then."""
    while True:
        try:
            async with asyncio.timeout(pause):
                while (words := await line.reader.readline()) and not words.startswith(b"421"):
                    pass
            raise EOFError
        except TimeoutError:
            await line.ask(drop)
