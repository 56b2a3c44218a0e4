"""A milter listener on a free port or a local socket, and a flow behind it that remembers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from gateway.flow.accept import Accept
from gateway.flow.ports import Events
from gateway.listeners.milter import MilterListener
from gateway.listeners.options import MilterOptions, TcpSocket
from tests.fakes import milter_packets as wire
from tests.fakes.milter_mta import MilterMta
from tests.listeners.smtp_rig import FakeAccept, FakeEvents

OPTIONS = MilterOptions(name="office", where=TcpSocket("127.0.0.1", 0))
HEAD = b"From: a@council.example\r\nSubject:  two spaces\r\n\tand a fold\r\nX-Tight:none\r\nX-Empty:\r\n"
MESSAGE = HEAD + b"\r\n" + b"0123456789abcdef\r\n" * 8000
SENDER = b"<a@council.example>"
TO = (b"<b@x.example>",)


@dataclass
class AlertedEvents(FakeEvents):
    """Remembers alerts too."""

    alerts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def alert(self, name: str, queue_id: str, detail: str) -> None:
        self.alerts.append((name, detail))


@dataclass
class Rig:
    """A running listener."""

    listener: MilterListener
    accept: FakeAccept
    events: AlertedEvents
    sock: socket.socket
    serving: asyncio.Task[None]

    @contextlib.asynccontextmanager
    async def mta(self, offer: tuple[int, int, int] = wire.POSTFIX_OFFER) -> AsyncGenerator[MilterMta]:
        """An MTA whose client is there."""
        name = self.sock.getsockname()
        opening = asyncio.open_unix_connection(name) if isinstance(name, str) else asyncio.open_connection(*name[:2])
        reader, writer = await opening
        async with MilterMta(reader, writer, offer) as mta:
            await mta.client()
            await mta.helo()
            yield mta


@contextlib.asynccontextmanager
async def listening(
    options: MilterOptions = OPTIONS, accept: FakeAccept | None = None, path: Path | None = None
) -> AsyncGenerator[Rig]:
    """Serves; the flow answers at once unless the test has made its own."""
    if accept is None:
        accept = FakeAccept()
        accept.gate.set()
    events = AlertedEvents()
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.bind(str(path) if path else ("127.0.0.1", 0))
    # Whoever connects before it is served waits.
    sock.listen()
    sock.setblocking(False)
    listener = MilterListener(options, cast("Accept", accept), cast("Events", events))
    kept = sock.dup()
    async with asyncio.timeout(30):
        serving = asyncio.create_task(listener.serve(sock))
        try:
            yield Rig(listener, accept, events, kept, serving)
        finally:
            accept.gate.set()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            kept.close()
