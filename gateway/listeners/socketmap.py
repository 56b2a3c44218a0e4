"""A socketmap served: connections of Postfix's processes, each with one lookup at a time, within limits.

What breaks while a lookup is answered is a refusal for now, never "not found". Left out on purpose: authentication,
which the protocol has not; who may connect is a matter of the socket.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.telemetry.log import Log, describe
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.socketmap import Reply, Request, RequestReader, Result

Answer = Callable[[Request], Awaitable[Reply]]

_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketmapLimits:
    """``at_once`` connections are kept; Postfix has a hundred delivering processes unless somebody raised it.

    ``silent``: Postfix closes after ten seconds without a lookup (dict_sockmap.c). ``answered``: it waits a hundred.
    ``taken``: a reply is small, so a client that does not take it reads nothing.
    """

    at_once: int = 500
    silent: timedelta = timedelta(minutes=2)
    answered: timedelta = timedelta(seconds=80)
    taken: timedelta = timedelta(seconds=10)


class SocketmapServer:
    """Answers on listening sockets until it is stopped."""

    def __init__(self, answer: Answer, log: Log, limits: SocketmapLimits | None = None) -> None:
        self._answer = answer
        self._log = log
        self._limits = limits or SocketmapLimits()
        self._conversations: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def serve(self, sock: socket.socket, grace: timedelta) -> None:
        """Until it is cancelled; then lookups in hand get so long."""
        server = await self._start(sock)
        try:
            await server.serve_forever()
        finally:
            server.close()
            await self._end(grace)

    async def _start(self, sock: socket.socket) -> asyncio.Server:
        start = asyncio.start_unix_server if sock.family is socket.AF_UNIX else asyncio.start_server
        return await start(self._meet, sock=sock)

    async def _end(self, grace: timedelta) -> None:
        self._stopping = True
        for idle in self._waiting:
            idle.cancel()
        if self._conversations:
            await asyncio.wait(self._conversations, timeout=grace.total_seconds())
        for late in self._conversations:
            late.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end; nothing that it does is raised."""
        task = asyncio.current_task()
        assert task is not None
        if self._stopping or len(self._conversations) >= self._limits.at_once:
            self._log.warning("socketmap full", connections=len(self._conversations))
            writer.transport.abort()
            return
        self._conversations.add(task)
        # What has been drained has left us.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            await self._converse(task, reader, writer)
        except RemoteProtocolError as error:
            self._log.warning("socketmap misused", problem=str(error))
        except (OSError, TimeoutError):
            # It went away, or is of no use any more: it connects again when it has a question.
            pass
        finally:
            self._conversations.discard(task)
            writer.transport.abort()

    async def _converse(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        requests = RequestReader()
        while not self._stopping:
            request = requests.next()
            if request is not None:
                writer.write((await self._reply(request)).to_bytes())
                async with asyncio.timeout(self._limits.taken.total_seconds()):
                    await writer.drain()
                continue
            data = await self._read(task, reader)
            if not data:
                return
            requests.feed(data)

    async def _read(self, task: asyncio.Task[None], reader: asyncio.StreamReader) -> bytes:
        """What comes next; a stop ends this wait and no other."""
        self._waiting.add(task)
        try:
            async with asyncio.timeout(self._limits.silent.total_seconds()):
                return await reader.read(_BLOCK)
        finally:
            self._waiting.discard(task)

    async def _reply(self, request: Request) -> Reply:
        limit = asyncio.timeout(self._limits.answered.total_seconds())
        try:
            async with limit:
                return await self._answer(request)
        except Exception as error:
            if limit.expired():
                return Reply(Result.TIMEOUT, "the lookups took too long")
            self._log.error("broken", where="socketmap", error=describe(error))
            return Reply(Result.TEMP, "a fault in the policy server, which its log describes")
