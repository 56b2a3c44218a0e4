"""Answers DNS queries from a `Zone` over UDP and TCP (RFC 1035 section 4.2, RFC 7766)."""

import asyncio
import socket
import struct
from datetime import timedelta
from typing import Final, cast

from gateway.sandbox.streams import serve_streams
from gateway.sandbox.zone import Zone

UDP_SIZE: Final = 1232
"""What fits any path without fragments (the DNS flag day of 2020)."""

IDLE: Final = timedelta(seconds=10)
"""A TCP client that asks nothing for so long is left (RFC 7766 section 6.2.3)."""


class DnsServer:
    """Runs within `serve`; ``zone`` may be replaced at any time."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone

    async def serve(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Serves on bound sockets until it is cancelled."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=udp)
        try:
            await serve_streams(tcp, asyncio.StreamReader, self._converse)
        finally:
            transport.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that leaves or idles is the ordinary end of a conversation.
        try:
            while True:
                async with asyncio.timeout(IDLE.total_seconds()):
                    size: int = struct.unpack("!H", await reader.readexactly(2))[0]
                    answer = self.zone.answer(await reader.readexactly(size))
                    if answer is not None:
                        writer.write(struct.pack("!H", len(answer)) + answer)
                        await writer.drain()
        except (OSError, EOFError):
            return


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A check by isinstance fails: Python 3.11's own transport is not registered as one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.zone.answer(data, max_size=UDP_SIZE)
        if answer is not None:
            self._transport.sendto(answer, addr)
