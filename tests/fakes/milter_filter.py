"""A filter that is nothing but the milter session: it keeps what it is told and answers as the test says."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from gateway.core.reply import Reply
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.answers import Change, Verdict
from gateway.wire.milter.events import Body, EndOfMessage, Event, Header, MailFrom, Quit
from gateway.wire.milter.negotiation import Action, MacroStage, Offer, Step, Terms
from gateway.wire.milter.session import MilterSession

TERMS = Terms(
    needed_actions=Action.ADDHDRS | Action.QUARANTINE,
    needed_steps=Step.HDR_LEADSPC,
    wished_steps=Step.SKIP | Step.NR_CONN | Step.NR_EOH,
    macros={MacroStage.CONNECT: ("j", "{client_addr}"), MacroStage.RCPT: ("{rcpt_addr}",), MacroStage.DATA: ("i",)},
)

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[int]:
    """The port where every connection is given to ``serve``; all of them have ended when this has."""
    conversations = set[asyncio.Task[None]]()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.wait_for(asyncio.gather(*conversations), 10)


@dataclass
class Filter:
    """A filter that keeps what it is told and answers as the test says."""

    verdict: Callable[[Event], Verdict | Reply] = lambda _: Verdict.CONTINUE
    changes: Sequence[Change] = ()
    progress: int = 0
    events: list[Event] = field(default_factory=list[Event])
    queue_ids: list[bytes | None] = field(default_factory=list[bytes | None])
    faults: list[Exception] = field(default_factory=list[Exception])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = MilterSession(TERMS)
        ended = False
        try:
            while not ended and (data := await reader.read(7000)):
                session.feed(data)
                while (event := session.next()) is not None:
                    self.events.append(event)
                    writer.write(self._said(session, event))
                    ended = isinstance(event, Quit)
                await writer.drain()
        except (RemoteProtocolError, ConnectionError) as error:
            self.faults.append(error)

    def _said(self, session: MilterSession, event: Event) -> bytes:
        if not session.wants_answer:
            return b""
        if isinstance(event, Offer):
            return session.agree()
        said = b""
        if isinstance(event, MailFrom | EndOfMessage):
            self.queue_ids.append(session.macro("i"))
        if isinstance(event, EndOfMessage):
            said = b"".join([*(session.progress() for _ in range(self.progress)), *map(session.change, self.changes)])
        return said + session.answer(self.verdict(event))

    def message(self) -> bytes:
        """The message as it was sent, if it was the only one."""
        header = [event.line() for event in self.events if isinstance(event, Header)]
        body = [event.chunk for event in self.events if isinstance(event, Body | EndOfMessage)]
        return b"".join((*header, b"\r\n", *body))

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)
