"""A web server on loopback that says exactly the bytes it is told to, over TLS: the host of MTA-STS policies."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TypeAlias

POLICY = b"version: STSv1\nmode: enforce\nmx: mail.trust.example\nmax_age: 86400\n"

Answer: TypeAlias = bytes | Callable[[], AsyncIterator[bytes]]
"""What is sent before the connection is closed: at once, or in pieces."""


def answer(body: bytes = POLICY, *header: str, status: str = "200 OK", length: bool = True) -> bytes:
    """An HTTP answer; ``header`` are whole lines in place of the content type."""
    lines = [f"HTTP/1.1 {status}", *(header or ("Content-Type: text/plain",)), "Connection: close"]
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class PolicyServer:
    """Gives ``answer`` to everybody. ``requests`` are the headers of those who came, ``hung_up`` is set by leaving."""

    def __init__(self, tls: ssl.SSLContext, answer: Answer) -> None:
        self._tls = tls
        self.answer = answer
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.hung_up = asyncio.Event()

    async def __aenter__(self) -> "PolicyServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            said = asyncio.ensure_future(self._say(writer))
            left = asyncio.ensure_future(reader.read())
            await asyncio.wait({said, left}, return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                self.hung_up.set()
            said.cancel()
            left.cancel()
            await asyncio.gather(said, left, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter) -> None:
        if isinstance(self.answer, bytes):
            writer.write(self.answer)
            await writer.drain()
            return
        async for piece in self.answer():
            writer.write(piece)
            await writer.drain()
