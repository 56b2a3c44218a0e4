"""The SMTP listener: sockets, limits and the end of all conversations (RFC 5321).

`smtp_shell` is one connection, `smtp_conversation` and `smtp_session` have the commands. Left out on purpose: opening
sockets (the supervisor does), implicit TLS, PROXY and XCLIENT.
"""

import asyncio
import contextlib
import socket
from datetime import timedelta
from typing import Final

from gateway.flow.accept import Accept
from gateway.flow.ports import Events
from gateway.listeners.connections import Connections
from gateway.listeners.options import SmtpOptions
from gateway.listeners.server_tls import server_context
from gateway.listeners.smtp_conversation import Desk
from gateway.listeners.smtp_session import SmtpSession

# Who does not fit into the kernel's queue believes to be connected and hears nothing, not even that we are too busy.
_BACKLOG: Final = 4096


class SmtpListener:
    """One ``[[listen.smtp]]``.

    The order of a graceful stop is `drain`, then cancelling `serve`. Cancelling alone ends every conversation with 421
    at once; a commit in progress ends and is answered in both cases, and only a second cancellation would break it.
    """

    def __init__(self, options: SmtpOptions, hostname: str, accept: Accept, events: Events) -> None:
        """Reads the certificate. Raises OSError (of which `ssl.SSLError` is one) if that cannot be used."""
        self._options = options
        self._hostname = hostname
        self._accept = accept
        self._events = events
        self._context = server_context(options)
        self._connections = Connections(limit=options.max_connections, per_address=options.max_per_address)
        self._servers: list[asyncio.Server] = []

    async def serve(self, sock: socket.socket) -> None:
        """Serves the socket, bound or listening, until cancelled; owns the socket and every conversation's task."""
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
            hostname=self._hostname,
            accept=self._accept,
            events=self._events,
            context=self._context,
            connections=self._connections,
            tasks=tasks,
        )
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: SmtpSession(desk), sock=sock, backlog=_BACKLOG))
        await loop.create_future()

    def stop_accepting(self) -> None:
        """Closes the listening socket; conversations go on."""
        while self._servers:
            self._servers.pop().close()

    async def drain(self, timeout: timedelta) -> bool:
        """Stops accepting; idle clients hear 421 now, the others after their transaction or when the time is up.

        Returns whether all went by themselves. Commits in progress may still be running if not.
        """
        self.stop_accepting()
        self._connections.retire()
        in_time = await self._connections.gone(timeout)
        self._connections.end()
        return in_time
