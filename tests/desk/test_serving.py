"""Who gets a place at the page, and how long anybody keeps it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.desk import serving
from gateway.desk.serving import serve_desk
from tests.desk.browser import PROXY, Browser

STRANGER = "127.0.0.9"
MOST = 64
"""Connections that the page has at once."""


class House:
    """A page that answers, one that waits until it may, one too large to be sent at once, and one that fails."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.ended = asyncio.Event()
        self.port = 0

    def application(self) -> Starlette:
        paths = {"/": self._quick, "/slow": self._slow, "/large": self._large, "/fails": self._fails}
        return Starlette(routes=[Route(path, endpoint) for path, endpoint in paths.items()])

    async def _quick(self, request: Request) -> Response:
        return PlainTextResponse("here")

    async def _slow(self, request: Request) -> Response:
        try:
            await self.may.wait()
        finally:
            self.ended.set()
        return PlainTextResponse("at last")

    async def _large(self, request: Request) -> Response:
        return _Ending(self.ended)

    async def _fails(self, request: Request) -> Response:
        raise TimeoutError("of the disk")

    async def connect(self, address: str = PROXY) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))

    async def end(self, sent: bytes = b"", address: str = PROXY) -> bytes:
        """All that comes until the connection ends."""
        reader, writer = await self.connect(address)
        writer.write(sent)
        read = b""
        with contextlib.suppress(ConnectionError):
            while more := await reader.read(1000):
                read += more
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return read


class _Ending(PlainTextResponse):
    def __init__(self, ended: asyncio.Event) -> None:
        super().__init__("x" * 30_000_000)
        self._ended = ended

    async def __call__(self, *asgi: object) -> None:
        try:
            await super().__call__(*asgi)  # pyright: ignore[reportArgumentType]
        finally:
            self._ended.set()


@contextlib.asynccontextmanager
async def house() -> AsyncGenerator[House]:
    made, sock = House(), socket.create_server(("127.0.0.1", 0))
    made.port = sock.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        served = tasks.create_task(serve_desk(made.application(), sock, lambda host: host == PROXY))
        yield made
        served.cancel()


def request(path: str, *fields: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *fields, "", "")).encode()


async def test_those_who_are_no_proxy_are_sent_away_and_take_no_place() -> None:
    async with house() as here:
        assert await asyncio.gather(*(here.end(address=STRANGER) for _ in range(MOST))) == [b""] * MOST
        assert await here.end(request("/"), STRANGER) == b""
        assert (await Browser(here.port).get("/")).text == "here"


async def test_a_place_is_one_of_few() -> None:
    async with house() as here:
        places = [await here.connect() for _ in range(MOST - 1)]
        assert (await Browser(here.port).get("/")).status == 503
        for _, writer in places:
            writer.close()
            await writer.wait_closed()
        assert (await Browser(here.port).get("/")).status == 200


async def test_who_asks_for_nothing_goes_and_who_asked_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SILENT", 0.2)
    async with house() as here:
        slow = asyncio.create_task(here.end(request("/slow", "Connection: close")))
        silent = await asyncio.gather(here.end(), here.end(b"GET / HTTP/1.1\r\nX: "), here.end(request("/")))
        assert [answer.partition(b"\r\n")[0] for answer in silent] == [b"", b"", b"HTTP/1.1 200 OK"]
        here.may.set()
        assert (await slow).endswith(b"at last")


async def test_an_answer_comes_in_time_or_a_sentence_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "ANSWERED_WITHIN", 0.2)
    async with house() as here:
        page = await Browser(here.port).get("/slow")
        assert page.status == 503 and "took too long" in page.text
        assert here.ended.is_set()
        failed = await Browser(here.port).get("/fails")
        assert failed.status == 500 and "took too long" not in failed.text


async def test_who_never_reads_the_answer_loses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "OVER", 0.3)
    async with house() as here:
        with socket.create_connection(("127.0.0.1", here.port), source_address=(PROXY, 0)) as sock:
            sock.sendall(request("/large"))
            await here.ended.wait()
