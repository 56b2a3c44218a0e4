"""Who gets a connection to the portal, how long it may be slow, and TLS by its own certificate."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.portal import serving
from gateway.portal.options import PageOptions
from gateway.portal.serving import AT_ONCE, PER_PLACE, serve_portal
from tests.portal.opened_pages import PAGE

LARGE = 12_000_000
BLOCK = b"x" * 250_000


class House:
    """Pages that answer at once, when they may, at length, and with how much they were sent."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.ended = asyncio.Event()
        self.port = 0
        self.working = asyncio.Semaphore(0)

    def application(self) -> Starlette:
        paths = {"/": self._quick, "/slow": self._slow, "/large": self._large}
        routes = [Route(path, endpoint) for path, endpoint in paths.items()]
        return Starlette(routes=[*routes, Route("/sent", self._sent, methods=["POST"])])

    async def _quick(self, request: Request) -> Response:
        return PlainTextResponse("here")

    async def _slow(self, request: Request) -> Response:
        self.working.release()
        await self.may.wait()
        return PlainTextResponse("at last")

    async def _large(self, request: Request) -> Response:
        return StreamingResponse(self._blocks(), headers={"Content-Length": str(LARGE)})

    async def _blocks(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(LARGE // len(BLOCK)):
                yield BLOCK
        finally:
            self.ended.set()

    async def _sent(self, request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def connect(
        self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "localhost" if tls is not None else None
        return await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0), ssl=tls, server_hostname=name, limit=2**16
        )

    async def busy(self, address: str) -> asyncio.StreamWriter:
        """A connection whose request takes long, and has begun."""
        writer = (await self.connect(address))[1]
        writer.write(request("/slow"))
        await self.working.acquire()
        return writer

    async def ask(self, sent: bytes, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> bytes:
        """All that comes until the connection ends."""
        reader, writer = await self.connect(address, tls)
        read = b""
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            while more := await reader.read(65536):
                read += more
        await closed(writer)
        return read


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def house(page: PageOptions = PAGE) -> AsyncGenerator[House]:
    made, sock = House(), socket.create_server(("127.0.0.1", 0), backlog=1000)
    made.port = sock.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        served = tasks.create_task(serve_portal(made.application(), sock, page))
        yield made
        served.cancel()


def request(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields, "", "")).encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes are parts of a second."""
    monkeypatch.setattr(serving, "SILENT", 0.4)
    monkeypatch.setattr(serving, "LOOK_EVERY", 0.05)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def with_tls(authority: trustme.CA, folder: Path) -> PageOptions:
    issued = authority.issue_cert("localhost")
    certificate, key = folder / "portal.pem", folder / "portal.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return replace(PAGE, certificate=certificate, private_key=key)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_pages_over_tls_by_our_own_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    async with house(with_tls(authority, tmp_path)) as here:
        answer = await here.ask(request("/"), tls=trusting(authority))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"here")
        assert b"server:" not in answer.lower()


async def test_no_tls_before_1_2(authority: trustme.CA, tmp_path: Path) -> None:
    old = trusting(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with house(with_tls(authority, tmp_path)) as here:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await here.ask(request("/"), tls=old)


async def test_a_certificate_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "portal.pem").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(OSError, match="PEM"):
        await serve_portal(House().application(), sock, replace(PAGE, certificate=tmp_path / "portal.pem"))


@pytest.mark.usefixtures("impatient")
async def test_who_asks_for_nothing_goes() -> None:
    async with house() as here:
        assert await asyncio.gather(here.ask(b""), here.ask(b"GET / HTTP/1.1\r\nX: ")) == [b"", b""]


@pytest.mark.usefixtures("impatient")
async def test_who_asks_byte_by_byte_for_ever_goes() -> None:
    async with house() as here:
        reader, writer = await here.connect()
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        ending = asyncio.create_task(reader.read())
        for _ in range(100):
            writer.write(b"x")
            if (await asyncio.wait([ending], timeout=0.05))[0]:
                break
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(ending, 0) == b""
        await closed(writer)


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_takes_us_long_is_waited_for() -> None:
    async with house() as here:
        asking = asyncio.create_task(here.ask(request("/slow")))
        silent = await here.ask(b"")
        assert silent == b"" and not asking.done()
        here.may.set()
        assert (await asking).endswith(b"at last")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("tls", [False, True])
async def test_a_slow_line_gets_all_of_a_large_file(authority: trustme.CA, tmp_path: Path, tls: bool) -> None:
    async with house(with_tls(authority, tmp_path) if tls else PAGE) as here:
        reader, writer = await here.connect(tls=trusting(authority) if tls else None)
        writer.write(request("/large"))
        await reader.readuntil(b"\r\n\r\n")
        began, got = asyncio.get_running_loop().time(), 0
        while block := await reader.read(65536):
            got += len(block)
            await asyncio.sleep(0.01)
        assert got == LARGE
        assert asyncio.get_running_loop().time() - began > 3 * serving.SILENT
        await closed(writer)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("tls", [False, True])
async def test_who_never_reads_a_large_file_loses_it(authority: trustme.CA, tmp_path: Path, tls: bool) -> None:
    async with house(with_tls(authority, tmp_path) if tls else PAGE) as here:
        _, writer = await here.connect(tls=trusting(authority) if tls else None)
        writer.write(request("/large"))
        async with asyncio.timeout(10):
            await here.ended.wait()
        writer.transport.abort()


@pytest.mark.usefixtures("impatient")
async def test_a_slow_line_can_send_all_of_a_reply() -> None:
    async with house() as here:
        reader, writer = await here.connect()
        writer.write(request("/sent", "Content-Length: 20", method="POST"))
        for _ in range(20):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        assert (await reader.read()).endswith(b"20")
        await closed(writer)


@pytest.mark.usefixtures("impatient")
async def test_who_stops_in_the_middle_of_a_reply_goes() -> None:
    async with house() as here:
        assert await here.ask(request("/sent", "Content-Length: 20", method="POST") + b"x") == b""


@pytest.mark.usefixtures("impatient")
async def test_a_connection_that_is_used_again_and_again_stays() -> None:
    async with house() as here:
        reader, writer = await here.connect()
        for _ in range(10):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readuntil(b"here")
            await asyncio.sleep(0.1)
        await closed(writer)


async def test_a_place_has_few_connections_and_leaves_room_for_others() -> None:
    async with house() as here:
        held = [await here.connect("127.0.0.2") for _ in range(PER_PLACE)]
        assert await here.ask(request("/"), "127.0.0.2") == b""
        assert (await here.ask(request("/"), "127.0.0.3")).endswith(b"here")
        await closed(held[0][1])
        assert (await here.ask(request("/"), "127.0.0.2")).endswith(b"here")
        for _, writer in held:
            await closed(writer)


async def test_a_proxy_of_ours_has_as_many_as_there_are() -> None:
    async with house(replace(PAGE, proxies=(ip_network("127.0.0.2/32"),))) as here:
        held = [await here.connect("127.0.0.2") for _ in range(PER_PLACE + 5)]
        assert (await here.ask(request("/"), "127.0.0.2")).endswith(b"here")
        for _, writer in held:
            await closed(writer)


async def test_more_than_can_be_served_get_a_sentence() -> None:
    async with house() as here:
        held = [await here.busy(f"127.0.1.{number % 100}") for number in range(AT_ONCE - 1)]
        assert (await here.ask(request("/"))).startswith(b"HTTP/1.1 503")
        here.may.set()
        for writer in held:
            await closed(writer)
        assert (await here.ask(request("/"))).endswith(b"here")


async def test_connections_that_ask_for_nothing_keep_nobody_out() -> None:
    async with house() as here:
        asking = await here.busy("127.0.0.9")
        idle = [await here.connect(f"127.0.1.{number % 100}") for number in range(AT_ONCE)]
        assert (await here.ask(request("/"))).endswith(b"here")
        assert await idle[0][0].read() == b"", "the oldest of them made room"
        here.may.set()
        assert idle[-1][0].at_eof() is False and not asking.is_closing()
        for writer in (asking, *(writer for _, writer in idle)):
            await closed(writer)
