"""One SMTP session over a transport in memory, so that a test decides in which pieces its input comes."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import cast

from gateway.flow.accept import Accept
from gateway.flow.ports import Events
from gateway.listeners.connections import Connections
from gateway.listeners.smtp_conversation import Desk
from gateway.listeners.smtp_session import SmtpSession
from tests.listeners.smtp_rig import LONG, FakeAccept, FakeEvents, with_options


class MemoryTransport(asyncio.Transport):
    """Keeps what the server says; tells it at once when it closes."""

    def __init__(self, session: SmtpSession, peername: tuple[str, int] | None = ("127.0.0.1", 40000)) -> None:
        super().__init__({"peername": peername})
        self.session = session
        self.said = bytearray()
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        self.said += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.session.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Memory:
    """What one session needs, and remembers."""

    def __init__(self, tasks: asyncio.TaskGroup, context: ssl.SSLContext | None = None) -> None:
        self.accept, self.events = FakeAccept(), FakeEvents()
        self.accept.gate.set()
        self.connections = Connections(limit=1, per_address=1)
        desk = Desk(
            options=with_options(max_message=100),
            hostname="gw",
            accept=cast("Accept", self.accept),
            events=cast("Events", self.events),
            context=context,
            connections=self.connections,
            tasks=tasks,
        )
        self.session = SmtpSession(desk)
        self.transport = MemoryTransport(self.session)


async def converse(pieces: Sequence[bytes], pauses: Sequence[int] = ()) -> Memory:
    """Feeds the pieces to one session, with so many turns of the loop between them, and ends the input."""
    async with asyncio.TaskGroup() as tasks:
        memory = Memory(tasks)
        session, transport = memory.session, memory.transport
        session.connection_made(transport)
        for number, piece in enumerate(pieces):
            if not transport.closing:
                session.data_received(piece)
            for _ in range(pauses[number % len(pauses)] if pauses else 0):
                await asyncio.sleep(0)
        if not transport.closing:
            session.eof_received()
        assert await memory.connections.gone(LONG)
    return memory
