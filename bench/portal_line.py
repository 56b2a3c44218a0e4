"""A client of the portal that costs little, so that what is measured is the portal: HTTP/1.1, one request at a time."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

MIB = 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: (\S+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: ([^;]+)", re.IGNORECASE)


class Line:
    """One connection to the portal, over which a proxy passes on the requests of visitor after visitor."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.visitor = 0
        self.cookie = b""
        self.led = b""

    async def get(self, path: str) -> bytes:
        """The page. Raises RuntimeError for any answer but 200."""
        return await self._ask(f"GET {path}", b"", b"200")

    async def post(self, path: str, **values: str) -> None:
        """Sends a form that leads elsewhere. Raises RuntimeError for any answer but 303."""
        await self._ask(f"POST {path}", urlencode(values).encode(), b"303")

    async def _ask(self, what: str, form: bytes, status: bytes) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2 * MIB)
        reader, writer = self._streams
        writer.write(self._head(what, form) + form)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if answer.split(b" ", 2)[1] != status:
            raise RuntimeError(f"{what[:8]} {answer[:40]!r}")
        if (given := _COOKIE.search(answer)) is not None:
            self.cookie = given[1]
        if (leads := _LOCATION.search(answer)) is not None:
            self.led = leads[1]
        return body

    def _head(self, what: str, form: bytes) -> bytes:
        address = f"10.0.{self.visitor >> 8}.{self.visitor & 255}"
        head = f"{what} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nX-Forwarded-For: {address}\r\n".encode()
        if self.cookie:
            head += b"Cookie: %b\r\n" % self.cookie
        if form:
            head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(form)
        return head + b"\r\n"

    def hang_up(self) -> None:
        """The next request has a connection of its own."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


@asynccontextmanager
async def line(port: int) -> AsyncGenerator[Line]:
    """For some requests."""
    made = Line(port)
    try:
        yield made
    finally:
        made.hang_up()
