"""Serves the pages until it is cancelled, by its own certificate or behind a proxy, within limits, to slow readers too.

A connection on which nothing gets on for a minute ends; one over which a large file goes slowly does not. Left out on
purpose: HTTP/2, which a proxy in front may speak.
"""

import asyncio
import socket
import sys
from collections import Counter
from typing import Final, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from gateway.portal.limits import place_of
from gateway.portal.options import PageOptions
from gateway.portal.visitor import is_proxy
from gateway.web.serving import Certificate, serve

AT_ONCE: Final = 200
"""Requests; those above get a sentence, and connections that ask for nothing make room."""
PER_PLACE: Final = 40
SILENT: Final = 60.0
"""Seconds in which nothing got on: no request came whole, no byte of its body came, no byte of its answer was taken."""
LOOK_EVERY: Final = 5.0
_GRACE: Final = 5
# struct tcp_info of Linux: tcpi_bytes_acked and tcpi_bytes_received, unsigned and 64 bits each.
_TCP_INFO_BYTES: Final = 136
_ACKED, _RECEIVED = slice(120, 128), slice(128, 136)


class _Connection(H11Protocol):
    """A connection that ends when nothing gets on; a place has few at once, unless it is a proxy of ours.

    Of one that is not admitted uvicorn never hears.
    """

    places: Counter[str]
    page: PageOptions
    got_at: float

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        # It is None for one that has gone already.
        if peer is None or not self._is_admitted(peer[0]):
            transport.abort()
            return
        if len(self.connections) >= AT_ONCE - 1:
            self._make_room()
        self._place = place_of(peer[0])
        self.places[self._place] += 1
        self._got: object = None
        self.got_at = self.loop.time()
        super().connection_made(transport)
        self._look = self.loop.call_later(LOOK_EVERY, self._end_if_silent)

    def _is_admitted(self, address: str) -> bool:
        return self.places[place_of(address)] < PER_PLACE or is_proxy(address, self.page)

    def _make_room(self) -> None:
        """Ends the connection that has asked for nothing for the longest time, so that those keep nobody out."""
        idle = [one for one in cast("set[_Connection]", self.connections) if one.is_idle]
        if idle:
            min(idle, key=_since).transport.abort()

    @property
    def is_idle(self) -> bool:
        """Nothing was asked yet, or all that was asked is answered."""
        return self._cycle is None or bool(self._cycle.response_complete)

    def _end_if_silent(self) -> None:
        got, now = self._how_far(), self.loop.time()
        if got != self._got or self._is_ours_to_do():
            self._got, self.got_at = got, now
        if now - self.got_at > SILENT:
            self.transport.abort()
            return
        self._look = self.loop.call_later(LOOK_EVERY, self._end_if_silent)

    def _how_far(self) -> tuple[object, ...]:
        """Which request it is, and the bytes that went either way; of a header that trickles in, none count.

        The kernel knows what the peer took; the buffers above it move in steps that take a slow line minutes.
        """
        cycle = self._cycle
        acked, received = _bytes_of(self.transport)
        body = received if cycle is not None and cycle.more_body and not cycle.response_complete else 0
        return cycle, acked, body

    def _is_ours_to_do(self) -> bool:
        """A request has come whole, and all that we answered so far has been taken."""
        cycle = self._cycle
        waits = self.transport.get_write_buffer_size()
        return cycle is not None and not (waits or cycle.response_complete or cycle.more_body)

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        return cast("RequestResponseCycle | None", self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        if self not in self.connections:
            return
        self._look.cancel()
        self.places[self._place] -= 1
        if not self.places[self._place]:
            del self.places[self._place]
        super().connection_lost(exc)


def _since(connection: _Connection) -> float:
    return connection.got_at


def _bytes_of(transport: asyncio.Transport) -> tuple[int, int]:
    """What the peer acknowledged of ours, and what it sent (Linux, tcp(7), TCP_INFO)."""
    sock = transport.get_extra_info("socket")
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return 0, 0  # It is closed already.
    return int.from_bytes(info[_ACKED], sys.byteorder), int.from_bytes(info[_RECEIVED], sys.byteorder)


def _connections(page: PageOptions) -> type[_Connection]:
    return type("Counted", (_Connection,), {"places": Counter[str](), "page": page})


async def serve_portal(application: ASGIApp, sock: socket.socket, page: PageOptions) -> None:
    """Serves on a listening socket until cancelled; then open requests get a few seconds.

    Raises:
        OSError: the certificate cannot be loaded.
    """
    certificate = Certificate(page.certificate, page.private_key) if page.certificate is not None else None
    await serve(
        application, sock, at_once=AT_ONCE, grace=_GRACE, connection=_connections(page), certificate=certificate
    )
