"""A scriptable mail host on loopback: it misbehaves as told and remembers every byte and how it came."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

# What hosts answer to a ClientHello that they cannot meet (RFC 8446 sections 4.1.3, 6.2; RFC 2246).
OLD_TLS = bytes.fromhex("15 0301 0002 02 46")
"""The alert protocol_version, as OpenSSL sends it when it may speak TLS 1.0 only."""
OLDEST_TLS = bytes.fromhex("16 0301 002a 02 000026 0301") + bytes(32) + bytes.fromhex("00 c013 00")
"""A ServerHello of TLS 1.0, from a host that never heard of supported_versions."""
NO_COMMON_CIPHER = bytes.fromhex("15 0303 0002 02 28")
"""The alert handshake_failure."""

OFFERS = ("PIPELINING", "SIZE 20000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, kw_only=True)
class Script:
    """How the host behaves.

    ``replies`` maps a step to the reply in place of the good one: ``connect``, ``EHLO``, ``EHLO in TLS``, ``HELO``,
    ``STARTTLS``, ``AUTH``, ``AUTH LOGIN``, ``MAIL``, ``RCPT``, ``RCPT a@b.example``, ``DATA``, ``.`` and ``body`` (sent
    in mid-body).
    At ``silent_at`` (those, and ``handshake``) it says nothing more, at ``closes_at`` it hangs up instead of answering.
    ``answers_hello`` is sent in place of a handshake; ``after_220`` in one packet with the reply to STARTTLS.
    """

    tls: ssl.SSLContext | None = None
    extensions: tuple[str, ...] = OFFERS
    offers: tuple[str, ...] | None = None
    replies: Mapping[str, str] = field(default_factory=dict[str, str])
    after_220: bytes = b""
    silent_at: str = ""
    closes_at: str = ""
    answers_hello: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Bytes as they came; ``tls`` is the version of TLS they came in, None in the clear."""

    data: bytes
    tls: str | None


@dataclass(frozen=True, kw_only=True)
class Received:
    """A message that was accepted, with its envelope as it was said (parameters included)."""

    mail: str
    rcpts: tuple[str, ...]
    data: bytes
    tls: str | None


class Hangup(Exception):
    """Ends a connection."""


class Conversation:
    """One connection to the host."""

    def __init__(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.script = script
        self.reader = reader
        self.writer = writer
        self.heard: list[Heard] = []
        self.received: list[Received] = []
        self.fell_silent = asyncio.Event()
        self._mail = ""
        self._rcpts: list[str] = []

    @property
    def tls(self) -> str | None:
        session: ssl.SSLObject | None = self.writer.get_extra_info("ssl_object")
        return None if session is None else session.version()

    @property
    def commands(self) -> list[str]:
        """The command lines, without their line ends; the message is left out."""
        return [piece.data.decode().rstrip("\r\n") for piece in self.heard if len(piece.data) < 512]

    async def run(self) -> None:
        await self._answer("connect", "220 mx.test ESMTP")
        while line := await self._line():
            await self._command(line.decode().rstrip("\r\n"))

    async def _line(self) -> bytes:
        line = await self.reader.readline()
        if line:
            self.heard.append(Heard(data=line, tls=self.tls))
        return line

    async def _command(self, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        match verb:
            case "EHLO":
                await self._ehlo()
            case "STARTTLS":
                await self._starttls()
            case "AUTH":
                await self._auth(line)
            case "MAIL":
                self._mail, self._rcpts = line, []
                await self._answer("MAIL", "250 2.1.0 ok")
            case "RCPT":
                await self._rcpt(line)
            case "DATA":
                await self._data()
            case "QUIT":
                await self._answer("QUIT", "221 2.0.0 bye")
                raise Hangup
            case _:
                await self._answer(verb, "250 2.0.0 ok")

    async def _ehlo(self) -> None:
        step = "EHLO in TLS" if self.tls else "EHLO"
        offers = self.script.offers
        if offers is None:
            offers = ("STARTTLS",) if self.script.tls is not None and not self.tls else ()
        lines = ["mx.test", *self.script.extensions, *offers]
        good = "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{line}" for i, line in enumerate(lines))
        await self._answer(step, good)

    async def _starttls(self) -> None:
        reply = self.script.replies.get("STARTTLS", "220 2.0.0 go ahead")
        await self._step("STARTTLS")
        self.writer.write(reply.encode() + b"\r\n" + self.script.after_220)
        await self.writer.drain()
        if not reply.startswith("220"):
            return
        await self._step("handshake")
        if self.script.answers_hello:
            await self.reader.read(65536)
            self.writer.write(self.script.answers_hello)
            await self.writer.drain()
            raise Hangup
        assert self.script.tls is not None
        await self.writer.start_tls(self.script.tls)

    async def _auth(self, line: str) -> None:
        if line.upper() == "AUTH LOGIN" and "AUTH LOGIN" in self.script.replies:
            await self._answer("AUTH LOGIN", "")
            return
        if line.upper() == "AUTH LOGIN":
            for prompt in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"):
                self.writer.write(prompt)
                await self._line()
        await self._answer("AUTH", "235 2.7.0 welcome")

    async def _rcpt(self, line: str) -> None:
        path = line[line.index("<") + 1 : line.rindex(">")]
        step = f"RCPT {path}" if f"RCPT {path}" in self.script.replies else "RCPT"
        reply = await self._answer(step, "250 2.1.5 ok")
        if reply.startswith("2"):
            self._rcpts.append(line)

    async def _data(self) -> None:
        reply = await self._answer("DATA", "354 go ahead" if self._rcpts else "554 5.5.1 no valid recipients")
        if not reply.startswith("354"):
            return
        content = await self._content()
        reply = await self._answer(".", "250 2.0.0 taken")
        if reply.startswith("2"):
            self.received.append(Received(mail=self._mail, rcpts=tuple(self._rcpts), data=content, tls=self.tls))

    async def _content(self) -> bytes:
        content = b"\r\n"
        while not content.endswith(b"\r\n.\r\n"):
            block = await self.reader.read(65536)
            if not block:
                raise Hangup
            self.heard.append(Heard(data=block, tls=self.tls))
            content += block
            if "body" in self.script.replies or "body" in (self.script.silent_at, self.script.closes_at):
                await self._answer("body", "")
                raise Hangup
        return content[2:-3]

    async def _answer(self, step: str, good: str) -> str:
        await self._step(step)
        reply = self.script.replies.get(step, good)
        self.writer.write(reply.encode("latin-1") + b"\r\n")
        await self.writer.drain()
        if reply.startswith("421"):
            raise Hangup
        return reply

    async def _step(self, step: str) -> None:
        if step == self.script.silent_at:
            self.fell_silent.set()
            await asyncio.Event().wait()
        if step == self.script.closes_at:
            raise Hangup


class FakeMx:
    """Listens on a free port of ``host`` until left; `conversations` are in the order they were opened.

    Each of ``first`` is the script of one conversation, before ``script`` is that of all others.
    """

    def __init__(self, script: Script | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.script = script or Script()
        self.host = host
        self.port = port
        self.conversations: list[Conversation] = []
        self.called = asyncio.Event()
        self.first: list[Script] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def received(self) -> list[Received]:
        return [message for conversation in self.conversations for message in conversation.received]

    @property
    def heard(self) -> list[Heard]:
        return [piece for conversation in self.conversations for piece in conversation.heard]

    def said(self, *, tls: bool | None = None) -> bytes:
        """All bytes it was sent; with ``tls`` only those inside TLS, or only those outside."""
        return b"".join(piece.data for piece in self.heard if tls is None or (piece.tls is not None) == tls)

    async def over(self) -> None:
        """Waits until every conversation has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> "FakeMx":
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _turns()  # a connection that was just accepted gets its task, which a closed server could not give it
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for conversation in self.conversations:
            conversation.writer.transport.abort()
        await self._server.wait_closed()
        await _turns()  # a transport whose handshake failed closes its socket, which nothing tells

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        conversation = Conversation(self.first.pop(0) if self.first else self.script, reader, writer)
        self.conversations.append(conversation)
        self.called.set()
        try:
            await conversation.run()
        except (Hangup, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the test looks at what was heard
        finally:
            # Inside TLS a close would wait for the peer; what was written is flushed by the handshake's own rules.
            writer.close()


async def _turns() -> None:
    """A few turns of the event loop."""
    for _ in range(5):
        await asyncio.sleep(0)
