"""A mail host of bad habits: now it takes mail, then refuses sessions, defers recipients, or leaves in mid-DATA.

It remembers by its number how often each message came. Left out on purpose: TLS, and all checks.
"""

import asyncio
import contextlib
import itertools
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum, auto

NUMBER = "X-Soak"
_NUMBER = re.compile(rf"^{NUMBER}: (\d+)\r$", re.MULTILINE)
_LIMIT = 1024 * 1024


class Mood(Enum):
    """How it is now."""

    GOOD = auto()
    CLOSED = auto()  # 421 instead of a greeting
    LATER = auto()  # 451 to every recipient
    RUDE = auto()  # the connection ends in mid-DATA


MOODS = (Mood.GOOD, Mood.CLOSED, Mood.GOOD, Mood.LATER, Mood.GOOD, Mood.RUDE)


class SoakSink:
    """One host. ``came`` counts messages by number, ``turned_away`` what each mood sent away."""

    def __init__(self) -> None:
        self.port = 0
        self.mood = Mood.GOOD
        self.came: Counter[int] = Counter()
        self.turned_away: Counter[Mood] = Counter()

    async def change(self, seconds: float) -> None:
        """Goes from mood to mood, for ever."""
        for self.mood in itertools.cycle(MOODS):
            await asyncio.sleep(seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood is Mood.CLOSED:
            self.turned_away[self.mood] += 1
            writer.write(b"421 4.3.2 not now\r\n")
            return
        writer.write(b"220 soak.example ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                return
            if verb == b"DATA" and not await self._take(reader, writer):
                return
            if verb != b"DATA":
                writer.write(self._answer(verb))

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"EHLO":
            return b"250-soak.example\r\n250-8BITMIME\r\n250 PIPELINING\r\n"
        if verb == b"RCPT" and self.mood is Mood.LATER:
            self.turned_away[self.mood] += 1
            return b"451 4.2.0 later\r\n"
        return b"250 2.0.0 ok\r\n"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False where it leaves instead of an answer."""
        if self.mood is Mood.LATER:
            writer.write(b"554 5.5.1 no valid recipients\r\n")
            return True
        writer.write(b"354 go on\r\n")
        if self.mood is Mood.RUDE:
            self.turned_away[self.mood] += 1
            return False
        content = await reader.readuntil(b"\r\n.\r\n")
        number = _NUMBER.search(content.decode("latin-1"))
        self.came[int(number[1]) if number else -1] += 1
        writer.write(b"250 2.0.0 kept\r\n")
        return True


@asynccontextmanager
async def soak_sink() -> AsyncGenerator[SoakSink]:
    """Listens on a free port of loopback."""
    sink = SoakSink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=_LIMIT)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
