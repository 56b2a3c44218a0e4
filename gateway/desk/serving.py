"""Serves the page until it is cancelled: to proxies alone, few connections at once, each with an end, small headers.

Left out on purpose: TLS, which is the proxy's, and forwarding fields, because only the connection itself is believed.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.web.serving import serve

_AT_ONCE: Final = 64
SILENT: Final = 10.0
"""Seconds within which a connection asks for something, the first time and again."""
ANSWERED_WITHIN: Final = 130.0
"""Seconds of a request; a decision waits for the gateway, which has its own limit below this."""
OVER: Final = 150.0
"""Seconds after which a request ends with its connection, whether its answer was read or not."""
_GRACE: Final = 5
_TOO_LONG: Final = "The mail gateway took too long. Open the link in the letter again to see whether anything was done."


class _Connection(H11Protocol):
    """A connection with an end: one that says nothing, or never reads its answer, would keep its place for ever.

    Of one that is not admitted uvicorn never hears, so it takes nobody's place.
    """

    admits: Callable[[str], bool]

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        # It is None for one that has gone already.
        if peer is None or not self.admits(peer[0]):
            transport.abort()
            return
        super().connection_made(transport)
        self._end = self.loop.call_later(SILENT, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.connections:
            self._end.cancel()
            super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._ends_in(OVER)

    def on_response_complete(self) -> None:
        self._ends_in(SILENT)
        super().on_response_complete()

    def _ends_in(self, seconds: float) -> None:
        self._end.cancel()
        self._end = self.loop.call_later(seconds, self.transport.abort)


def _for(admitted: Callable[[str], bool]) -> type[_Connection]:
    class Admitted(_Connection):
        admits = staticmethod(admitted)

    return Admitted


def _in_time(application: ASGIApp) -> ASGIApp:
    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        limit = asyncio.timeout(ANSWERED_WITHIN)
        try:
            async with limit:
                await application(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            await PlainTextResponse(_TOO_LONG, 503)(scope, receive, send)

    return limited


async def serve_desk(application: ASGIApp, sock: socket.socket, admits: Callable[[str], bool]) -> None:
    """Serves on a listening socket, those whose address ``admits`` takes, until cancelled.

    Then open requests get a few seconds.
    """
    await serve(_in_time(application), sock, at_once=_AT_ONCE, grace=_GRACE, connection=_for(admits))
