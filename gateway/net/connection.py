"""One TCP connection to a mail server: replies in, bytes out with back-pressure, and the change to TLS (RFC 3207).

It knows lines and time-outs but no commands. Every failure is a RemoteProtocolError whose text is a plain clause about
the server ("it closed the connection"). Left out on purpose: source addresses, proxies.
"""

import asyncio
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, cast

from gateway.core.reply import Reply
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.smtp_replies import ReplyReader

MAX_UNREAD: Final = 64 * 1024
"""Bytes of replies that are taken before we ask for them; past that the server has to wait."""


class Connection(asyncio.Protocol):
    """Made by `connect`; one task at a time uses it. ``tls`` is the TLS session, None in the clear."""

    def __init__(self) -> None:
        self.tls: ssl.SSLObject | None = None
        self._transport: asyncio.Transport | None = None
        self._replies = ReplyReader()
        self._arrived: asyncio.Future[None] | None = None
        self._blocked = False
        self._held_off = False
        self._late = False
        self._ended: str | None = None
        self._closed = asyncio.get_running_loop().create_future()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        if self._replies.waiting > MAX_UNREAD:
            self._held_off = True
            self._socket.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end("it closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was lost" if exc else "it closed the connection")
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._wake()

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    # What a session calls.

    @property
    def quiet(self) -> bool:
        """Open, and nothing arrived that nobody asked for."""
        return self._ended is None and self._replies.waiting == 0

    @property
    def answered(self) -> bool:
        """Whether bytes of a reply are here, or none will ever come."""
        return self._ended is not None or self._replies.waiting > 0

    @property
    def ours(self) -> str:
        """Our own address, empty if nobody can tell."""
        name: tuple[str, int] | None = self._socket.get_extra_info("sockname")
        return name[0] if name else ""

    @property
    def _socket(self) -> asyncio.Transport:
        if self._transport is None:
            raise RemoteProtocolError("there is no connection")
        return self._transport

    async def reply(self, within: timedelta) -> Reply:
        """The next reply. Raises RemoteProtocolError: none in time, no SMTP, or the connection ended."""
        reply = self._replies.next()
        if reply is None:
            with self._in_time(within):
                reply = await self._next_reply()
        if self._held_off and self._replies.waiting <= MAX_UNREAD and not self._socket.is_closing():
            self._held_off = False
            self._socket.resume_reading()
        return reply

    async def _next_reply(self) -> Reply:
        while (reply := self._replies.next()) is None:
            self._check()
            await self._event()
        return reply

    @contextmanager
    def _in_time(self, within: timedelta) -> Generator[None]:
        """Ends the wait for events in it; one timer is much cheaper than `asyncio.timeout`."""
        self._late = False
        timer = asyncio.get_running_loop().call_later(within.total_seconds(), self._time_is_up)
        try:
            yield
        except TimeoutError:
            raise RemoteProtocolError(f"it was silent for {within.total_seconds():g} s") from None
        finally:
            timer.cancel()

    def _time_is_up(self) -> None:
        self._late = True
        self._wake()

    async def _event(self) -> None:
        if self._late:
            raise TimeoutError
        self._arrived = asyncio.get_running_loop().create_future()
        await self._arrived

    def _check(self) -> None:
        if self._ended is not None:
            raise RemoteProtocolError(self._ended)

    def expect_quiet(self) -> None:
        """Raises RemoteProtocolError: the connection ended, or something arrived that nobody asked for."""
        self._check()
        if self._replies.waiting:
            raise RemoteProtocolError("it spoke before it was asked")

    def send(self, data: bytes) -> None:
        """Hands bytes over for sending. Raises RemoteProtocolError: the connection ended."""
        self._check()
        self._socket.write(data)

    async def drain(self, within: timedelta) -> None:
        """Waits until little is left to be sent, or a reply arrives. Raises RemoteProtocolError."""
        if self._blocked:
            with self._in_time(within):
                await self._drained()
        self._check()

    async def _drained(self) -> None:
        while self._blocked and not self.answered:
            await self._event()

    async def start_tls(self, context: ssl.SSLContext, name: str, within: timedelta) -> ssl.SSLObject:
        """Does the handshake; ``name`` is for SNI and, where the context checks, for the certificate. An address
        is never said, but checked all the same.

        Raises:
            RemoteProtocolError: bytes came before the handshake, which somebody on the way may have put there.
            OSError: the handshake failed (ssl.SSLError is one), or was not finished in time.
        """
        if not self.quiet:
            raise RemoteProtocolError("it sent more than the reply to STARTTLS before the TLS handshake")
        # Nothing is awaited between that check and the loop's change of protocol: what arrives later is TLS or fails.
        transport = await asyncio.get_running_loop().start_tls(
            self._socket, self, context, server_hostname=name, ssl_handshake_timeout=within.total_seconds()
        )
        if transport is None:  # the transport was closed meanwhile
            raise ConnectionResetError
        self._transport = transport
        self.tls = cast(ssl.SSLObject, transport.get_extra_info("ssl_object"))
        return self.tls

    def close(self, last: bytes = b"") -> None:
        """Ends the connection in good order, after ``last``; nobody waits for the reply."""
        if self._transport is not None and not self._transport.is_closing():
            if last:
                self._transport.write(last)
            self._transport.close()
        self._end("we closed the connection")

    def abort(self) -> None:
        """Ends the connection at once; what was not sent never is."""
        if self._transport is not None:
            self._transport.abort()
        self._end("we closed the connection")

    async def closed(self, within: timedelta) -> None:
        """Waits for the end of a connection that was closed, and aborts it when that takes too long."""
        await asyncio.wait([self._closed], timeout=within.total_seconds())
        self.abort()


async def connect(address: str, port: int, within: timedelta) -> Connection:
    """Opens a connection to an IP address.

    Raises:
        OSError: no connection (TimeoutError is one).
    """
    async with asyncio.timeout(within.total_seconds()):
        _, connection = await asyncio.get_running_loop().create_connection(Connection, address, port)
    return connection
