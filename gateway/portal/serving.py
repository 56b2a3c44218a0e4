"""Serves the pages until it is cancelled, by its own certificate or behind a proxy, within limits, to slow readers too.

A connection that moves no byte for a minute ends; one over which a large file goes slowly does not. Left out on
purpose: HTTP/2, which a proxy in front may speak.
"""

import asyncio
import socket
from collections import Counter
from typing import Final, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from gateway.portal.options import PageOptions
from gateway.web.serving import Certificate, serve

AT_ONCE: Final = 200
PER_ADDRESS: Final = 40
SILENT: Final = 60.0
"""Seconds without a byte in either direction."""
_GRACE: Final = 5
_LOOK_EVERY: Final = 5.0


class _Connection(H11Protocol):
    """A connection that ends when nothing moves; an address has few at once, unless it is a proxy's."""

    addresses: Counter[str]
    proxies: tuple[object, ...]

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self._who = peer[0] if peer else ""
        self._counted = False
        if peer is None or (self.addresses[self._who] >= PER_ADDRESS and not self.proxies):
            transport.abort()
            return
        self.addresses[self._who] += 1
        self._counted = True
        self._moved = self.loop.time()
        self._waiting = 0
        self._look = self.loop.call_later(_LOOK_EVERY, self._end_if_silent)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._moved = self.loop.time()
        super().data_received(data)

    def _end_if_silent(self) -> None:
        """What waits to be sent says whether the peer takes anything; with nothing waiting we are the slow ones."""
        waiting = self.transport.get_write_buffer_size()
        if waiting != self._waiting or self._is_working(waiting):
            self._moved = self.loop.time()
        self._waiting = waiting
        if self.loop.time() - self._moved > SILENT:
            self.transport.abort()
            return
        self._look = self.loop.call_later(_LOOK_EVERY, self._end_if_silent)

    def _is_working(self, waiting: int) -> bool:
        """A request that we have not answered yet, and that has come whole."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return waiting == 0 and cycle is not None and not cycle.response_complete and not cycle.more_body

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._counted:
            return
        self._look.cancel()
        self.addresses[self._who] -= 1
        if not self.addresses[self._who]:
            del self.addresses[self._who]
        super().connection_lost(exc)


def _connections(page: PageOptions) -> type[_Connection]:
    return type("Counted", (_Connection,), {"addresses": Counter[str](), "proxies": page.proxies})


async def serve_portal(application: ASGIApp, sock: socket.socket, page: PageOptions) -> None:
    """Serves on a listening socket until cancelled; then open requests get a few seconds.

    Raises:
        OSError: the certificate cannot be loaded.
    """
    certificate = Certificate(page.certificate, page.private_key) if page.certificate is not None else None
    await serve(
        application, sock, at_once=AT_ONCE, grace=_GRACE, connection=_connections(page), certificate=certificate
    )
