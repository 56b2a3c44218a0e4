"""One message after the other at a steady pace through a relay, and how long each took: until 250, and until the sink.

Each has a connection of its own. The sink is in the same process, so that both ends have one clock.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser

from aiosmtpd.smtp import SMTP, Envelope, Session

_NUMBER = "X-Number"
_PATIENCE = 20.0
EVERY = 0.05
"""Seconds between two messages, unless told otherwise."""


class _Handler:
    def __init__(self, take: Callable[[Envelope], None]) -> None:
        self._take = take

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd calls it by that name."""
        self._take(envelope)
        return "250 taken"


@asynccontextmanager
async def taking(take: Callable[[Envelope], None]) -> AsyncGenerator[int]:
    """A host that gives all mail to ``take``; its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(_Handler(take), hostname="sink.example", data_size_limit=None, loop=loop), "127.0.0.1", 0
    )
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@dataclass
class Probe:
    """Seconds by message; ``took`` is for the sink."""

    accepted: dict[int, float] = field(default_factory=dict[int, float])
    delivered: dict[int, float] = field(default_factory=dict[int, float])
    _sent: dict[int, float] = field(default_factory=dict[int, float])

    def took(self, mail: Envelope) -> None:
        """One has arrived."""
        content = mail.content
        assert isinstance(content, bytes)
        number = int(BytesHeaderParser().parsebytes(content[:4096])[_NUMBER])
        self.delivered[number] = time.monotonic() - self._sent[number]

    def forget(self) -> None:
        """What was measured before."""
        self.accepted.clear()
        self.delivered.clear()

    async def run(self, port: int, seconds: float, every: float = EVERY) -> None:
        """For so long; then it waits for what is on its way."""
        start, number = time.monotonic(), 0
        async with asyncio.timeout(seconds + 2 * _PATIENCE), asyncio.TaskGroup() as tasks:
            while (at := number * every) < seconds:
                await asyncio.sleep(max(0, start + at - time.monotonic()))
                tasks.create_task(self._one(port, number))
                number += 1
        async with asyncio.timeout(_PATIENCE):
            while len(self.delivered) < number:
                await asyncio.sleep(0.05)

    async def _one(self, port: int, number: int) -> None:
        self._sent[number] = start = time.monotonic()
        content = b"%b: %d\r\nFrom: load@council.example\r\nSubject: x\r\n\r\n" % (_NUMBER.encode(), number)
        await submit(port, ["sink@sink.example"], content + b"some words of a letter\r\n" * 427)
        self.accepted[number] = time.monotonic() - start


async def submit(port: int, recipients: list[str], content: bytes) -> None:
    """One message in a session of its own; returns with its 250. ``content`` has no line that begins with a dot."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say(line: str, code: bytes) -> None:
        writer.write(line.encode() + b"\r\n")
        await hear(code)

    async def hear(code: bytes) -> None:
        while (line := await reader.readline())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line.decode())

    try:
        async with asyncio.timeout(_PATIENCE):
            await hear(b"220")
            await say("EHLO desk.council.example", b"250")
            await say("MAIL FROM:<load@council.example>", b"250")
            for recipient in recipients:
                await say(f"RCPT TO:<{recipient}>", b"250")
            await say("DATA", b"354")
            writer.write(content + b".\r\n")
            await hear(b"250")
    finally:
        writer.transport.abort()
