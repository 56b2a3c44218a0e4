"""A host's side of one connection, in the clear and then inside TLS, without asyncio's own TLS.

`asyncio.StreamWriter.start_tls` drops the alert of a handshake that failed; a real host sends it, and what a client
makes of that alert is what the bad hosts of the sandbox are for.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Final

from gateway.sandbox.tape import TapedReader

BLOCK: Final = 64 * 1024


class ServerStream:
    """Reads, writes and turns to TLS. Every wait ends after ``timeout`` seconds with a TimeoutError.

    ``max_buffer`` bounds what one `read_until` may gather, in bytes.
    """

    def __init__(self, reader: TapedReader, writer: asyncio.StreamWriter, *, timeout: float, max_buffer: int) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._max_buffer = max_buffer
        self._buffer = bytearray()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.session: ssl.SSLObject | None = None

    async def read_until(self, end: bytes) -> bytes:
        """All bytes up to and with ``end``. Raises EOFError, LimitOverrunError, OSError, TimeoutError."""
        start = 0
        while (found := self._buffer.find(end, start)) < 0:
            if len(self._buffer) > self._max_buffer:
                raise asyncio.LimitOverrunError("the end did not come within the limit", len(self._buffer))
            start = max(0, len(self._buffer) - len(end) + 1)
            block = await self._receive()
            if not block:
                raise EOFError
            self._buffer += block
        result = bytes(self._buffer[: found + len(end)])
        del self._buffer[: found + len(end)]
        return result

    async def read_some(self) -> bytes:
        """What is there, or comes next; empty at the end. Raises OSError, TimeoutError."""
        if not self._buffer:
            return await self._receive()
        result = bytes(self._buffer)
        self._buffer.clear()
        return result

    async def _receive(self) -> bytes:
        if self.session is None:
            return await self._receive_raw()
        while True:
            with suppress(ssl.SSLWantReadError):
                try:
                    data = self.session.read(BLOCK)
                except ssl.SSLZeroReturnError:
                    return b""
                self._reader.tape.add_secured(data)
                return data
            await self._flush()
            block = await self._receive_raw()
            if not block:
                return b""
            self._incoming.write(block)

    async def _receive_raw(self) -> bytes:
        async with asyncio.timeout(self._timeout):
            return await self._reader.read(BLOCK)

    async def write(self, data: bytes) -> None:
        """Sends. Raises OSError, TimeoutError."""
        if self.session is None:
            self._writer.write(data)
        else:
            self.session.write(data)
        await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
        async with asyncio.timeout(self._timeout):
            await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Takes the server's part in a handshake; an alert is sent before a failure is raised.

        Raises ssl.SSLError (an OSError), EOFError, OSError, TimeoutError.
        """
        self._reader.in_tls = True
        session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        # What was read ahead in the clear has been taped; here it can only make the handshake fail.
        self._incoming.write(bytes(self._buffer))
        self._buffer.clear()
        while not await self._handshake_step(session):
            block = await self._receive_raw()
            if not block:
                raise EOFError
            self._incoming.write(block)
        self.session = session
        return session

    async def _handshake_step(self, session: ssl.SSLObject) -> bool:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            await self._flush()
        return True

    async def finish(self) -> None:
        """Says goodbye inside TLS, if it can still be said."""
        with suppress(OSError):
            if self.session is not None:
                with suppress(ssl.SSLWantReadError):
                    self.session.unwrap()
            await self._flush()
