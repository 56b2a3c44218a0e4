"""A listener on a free loopback port, a flow that remembers, and a client that speaks bytes."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import cast

from gateway.core.address import Address, NullPath, ReversePath
from gateway.core.envelope import Envelope
from gateway.core.reply import Reply, reply
from gateway.flow.accept import Accept
from gateway.flow.custody import Fate, Taken, TurnedAway
from gateway.flow.ports import Events
from gateway.flow.profile import Profile
from gateway.listeners.options import Allow, SmtpOptions
from gateway.listeners.smtp import SmtpListener

LOOPBACK = (Allow(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128"))),)
OPTIONS = SmtpOptions(name="office", host="127.0.0.1", port=0, allow=LOOPBACK)
LONG = timedelta(seconds=20)


@dataclass
class FakeSubmission:
    """What a listener hands in. ``finish`` waits for ``gate`` and gives ``answer``, or raises it."""

    envelope: Envelope
    profile: Profile
    answer: Reply | Exception
    write_error: Exception | None
    gate: asyncio.Event
    fate: Fate | None = None
    finishing: asyncio.Event = field(default_factory=asyncio.Event)
    blocks: list[bytes] = field(default_factory=list[bytes])
    finished: bool = False
    cancelled: bool = False
    discarded: int = 0
    discarding: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def content(self) -> bytes:
        return b"".join(self.blocks)

    def write(self, block: bytes) -> None:
        if self.write_error is not None:
            raise self.write_error
        self.blocks.append(block)

    async def finish(self) -> Reply:
        self.finishing.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        self.finished = True
        return self.answer

    async def decide(self) -> Fate:
        """What is set, or what the answer says."""
        answer = await self.finish()
        if self.fate is not None:
            return self.fate
        return Taken(answer) if answer.is_positive else TurnedAway(answer)

    def discard(self) -> None:
        self.discarded += 1
        self.discarding.set()


@dataclass
class FakeAccept:
    """Owns council.example; remembers every submission; what is set here is what the next one does."""

    answer: Reply | Exception = field(default_factory=lambda: reply(250, "2.0.0", "queued as 000-1"))
    write_error: Exception | None = None
    begin_error: Exception | None = None
    sender_error: Exception | None = None
    fate: Fate | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    submissions: list[FakeSubmission] = field(default_factory=list[FakeSubmission])

    def sender_allowed(self, reverse_path: ReversePath) -> bool:
        if self.sender_error is not None:
            raise self.sender_error
        return isinstance(reverse_path, NullPath) or reverse_path.domain == "council.example"

    def recipient_refused(self, reverse_path: ReversePath, others: Iterable[Address], address: Address) -> Reply | None:
        """Only ``refused.example`` is refused, and beside anybody else put off."""
        if address.domain != "refused.example":
            return None
        return reply(452, "4.5.3", "alone") if list(others) else reply(550, "5.1.1", f"unknown to {reverse_path}")

    def begin(self, envelope: Envelope, profile: Profile) -> FakeSubmission:
        if self.begin_error is not None:
            raise self.begin_error
        submission = FakeSubmission(envelope, profile, self.answer, self.write_error, self.gate, self.fate)
        self.submissions.append(submission)
        self.begun.set()
        return submission

    @property
    def last(self) -> FakeSubmission:
        return self.submissions[-1]

    @property
    def messages(self) -> list[bytes]:
        """What was accepted."""
        return [submission.content for submission in self.submissions if submission.finished]


@dataclass
class FakeEvents:
    """Remembers refusals as (client, reason, code) and faults."""

    refusals: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    refusing: asyncio.Event = field(default_factory=asyncio.Event)
    faults: list[BaseException] = field(default_factory=list[BaseException])

    def refused(self, listener: str, client: str, reason: str, code: int) -> None:
        assert listener == "office"
        self.refusals.append((client, reason, code))
        self.refusing.set()

    def broken(self, where: str, queue_id: str, error: BaseException) -> None:
        self.faults.append(error)


@dataclass
class Client:
    """One connection of a client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> str:
        """One reply, lines joined by ``|``; "" when the server has closed."""
        lines: list[str] = []
        while True:
            line = await self.reader.readline()
            if not line:
                return "|".join(lines)
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode())
            if line[3:4] != b"-":
                return "|".join(lines)

    async def replies(self, count: int) -> list[str]:
        return [await self.reply() for _ in range(count)]

    async def ask(self, line: bytes) -> str:
        await self.send(line + b"\r\n")
        return await self.reply()

    async def rest(self) -> str:
        """All that comes until the server closes."""
        return (await self.reader.read()).decode()

    async def hello(self, name: bytes = b"pc.council.example") -> None:
        assert (await self.reply()).startswith("220 ")
        assert (await self.ask(b"EHLO " + name)).startswith("250-")

    async def envelope(self, *recipients: bytes) -> None:
        assert await self.ask(b"MAIL FROM:<a@council.example>") == "250 2.1.0 OK"
        for recipient in recipients or (b"b@x.example",):
            assert await self.ask(b"RCPT TO:<" + recipient + b">") == "250 2.1.5 OK"

    async def data(self, content: bytes) -> str:
        """DATA with content that has its end; the final reply."""
        assert (await self.ask(b"DATA")).startswith("354 ")
        await self.send(content)
        return await self.reply()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """STARTTLS and the handshake; EHLO is the test's business."""
        assert (await self.ask(b"STARTTLS")).startswith("220 ")
        await self.writer.start_tls(context, server_hostname="gw.council.example")

    async def message(self, content: bytes = b"Subject: x\r\n\r\ny\r\n.\r\n") -> str:
        await self.envelope()
        return await self.data(content)

    def reset(self) -> None:
        """Breaks the connection: the server reads an error, not an end."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


@dataclass
class Rig:
    """A running listener."""

    listener: SmtpListener
    accept: FakeAccept
    events: FakeEvents
    port: int
    serving: asyncio.Task[None]
    clients: list[Client] = field(default_factory=list[Client])

    async def connect(self, *, host: str = "127.0.0.1", local: str = "") -> Client:
        """``local`` is the address that the client comes from, if that matters."""
        own = (local, 0) if local else None
        client = Client(*await asyncio.open_connection(host, self.port, local_addr=own))
        self.clients.append(client)
        return client

    async def greeted(self) -> Client:
        client = await self.connect()
        await client.hello()
        return client


def bound(host: str) -> socket.socket:
    """A listening socket on a free port; ``::`` takes IPv4 too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::")


@asynccontextmanager
async def rig(
    options: SmtpOptions = OPTIONS, *, host: str = "127.0.0.1", open_gate: bool = True, send_buffer: int = 0
) -> AsyncGenerator[Rig]:
    """Serves until the block ends; a closed gate holds every commit until ``accept.gate`` is set."""
    accept, events = FakeAccept(), FakeEvents()
    if open_gate:
        accept.gate.set()
    listener = SmtpListener(options, "gw.council.example", cast("Accept", accept), cast("Events", events))
    sock = bound(host)
    if send_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    port = sock.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(listener.serve(sock))
        running = Rig(listener, accept, events, port, serving)
        try:
            yield running
        finally:
            accept.gate.set()
            for client in running.clients:
                await client.close()
            serving.cancel()


def with_options(**changes: object) -> SmtpOptions:
    """The usual options with changes."""
    return replace(OPTIONS, **changes)  # pyright: ignore[reportArgumentType] - the fields' own types are checked where they are used.
