"""Serves the page until it is cancelled: few connections at once, each with an end, small headers.

Left out on purpose: TLS, which is the proxy's, and forwarding fields, because only the connection itself is believed.
"""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

_AT_ONCE: Final = 64
_HEADER_BYTES: Final = 16 * 1024
_LIFETIME: Final = 150
"""Seconds of a connection; a decision waits for the gateway, which has its own limit below this."""
_GRACE: Final = 5


class _Connection(H11Protocol):
    """A connection with an end: one that says nothing, or never reads its answer, would keep its place for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._end = self.loop.call_later(_LIFETIME, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """uvicorn without its hold on the process's signals: those are the supervisor's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_desk(application: Starlette, sock: socket.socket) -> None:
    """Serves on a listening socket until cancelled; then open requests get a few seconds."""
    config = uvicorn.Config(
        application,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing but the connection says who is there: a forwarding field would let anybody be the proxy.
        proxy_headers=False,
        limit_concurrency=_AT_ONCE,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[sock])
    finally:
        if server.started:
            await server.shutdown(sockets=[sock])
