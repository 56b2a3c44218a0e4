"""The milter listener: a socket for MTAs that keep their place in front of us, its limits, and the end of all talks.

`milter_connection` is one connection, `milter_session` has the events. Left out on purpose: TLS, which no MTA speaks to
a milter, and opening sockets, which the supervisor does.
"""

import asyncio
import contextlib
import socket
from datetime import timedelta
from typing import Final

from gateway.flow.accept import Accept
from gateway.flow.ports import Events
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import IpAddress, peer_address
from gateway.listeners.connections import Connections
from gateway.listeners.milter_connection import BLOCK
from gateway.listeners.milter_message import LOCAL
from gateway.listeners.milter_session import Desk, MilterConversation
from gateway.listeners.options import LocalSocket, MilterOptions

_BACKLOG: Final = 4096


class MilterListener:
    """One ``[[listen.milter]]``; the order of a graceful stop is that of `SmtpListener`."""

    def __init__(self, options: MilterOptions, accept: Accept, events: Events) -> None:
        self._options = options
        self._accept = accept
        self._events = events
        # All connections are the MTA's, so one place may have every one of them.
        self._connections = Connections(limit=options.max_connections, per_address=options.max_connections)
        self._servers: list[asyncio.Server] = []

    async def serve(self, sock: socket.socket) -> None:
        """Serves the socket, bound or listening, until cancelled; owns the socket and every connection's task."""
        async with asyncio.TaskGroup() as tasks:
            # Leaving the group with the cancellation would cancel commits; without it the group waits for them.
            with contextlib.suppress(asyncio.CancelledError):
                await self._listen(sock, tasks)
            self.stop_accepting()
            self._connections.end()
        raise asyncio.CancelledError

    async def _listen(self, sock: socket.socket, tasks: asyncio.TaskGroup) -> None:
        desk = Desk(
            options=self._options,
            accept=self._accept,
            events=self._events,
            connections=self._connections,
            tasks=tasks,
        )

        def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._came(desk, reader, writer)

        # It serves local sockets too: all that it asks of one is that it is a stream.
        self._servers.append(await asyncio.start_server(came, sock=sock, backlog=_BACKLOG, limit=BLOCK))
        await asyncio.get_running_loop().create_future()

    def _came(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = self._peer(writer)
        if peer is None:
            writer.close()
            return
        conversation = MilterConversation(desk, reader, writer, peer)
        no_room = replies.NOT_ALLOWED if not self._allowed(peer) else self._connections.enter(conversation, peer)
        if no_room is not None:
            self._events.refused(self._options.name, str(peer), no_room.lines[0], no_room.code)
            writer.close()
            return
        desk.tasks.create_task(conversation.run())

    def _peer(self, writer: asyncio.StreamWriter) -> IpAddress | None:
        """Where the MTA is; None if it is gone again. Whoever may open a local socket is on this machine."""
        if isinstance(self._options.where, LocalSocket):
            return peer_address(LOCAL)
        name = writer.get_extra_info("peername")
        return peer_address(name[0]) if name else None

    def _allowed(self, peer: IpAddress) -> bool:
        local = isinstance(self._options.where, LocalSocket)
        return local or any(peer in network for network in self._options.allow)

    def stop_accepting(self) -> None:
        """Closes the listening socket; conversations go on."""
        while self._servers:
            self._servers.pop().close()

    async def drain(self, timeout: timedelta) -> bool:
        """Stops accepting; idle connections end now, the others behind their message or when the time is up.

        Returns whether all went by themselves. Commits in progress may still be running if not.
        """
        self.stop_accepting()
        self._connections.retire()
        in_time = await self._connections.gone(timeout)
        self._connections.end()
        return in_time
