"""A host's connection keeps its limits, and a failed handshake ends with an alert as a real host's does."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.sandbox import streams
from gateway.sandbox.alongside import alongside
from gateway.sandbox.behaviour import Behaviour, Fault, Script, Stage, Versions
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.server_stream import ServerStream
from gateway.sandbox.sockets import LOOPBACK, Place, bind, port_of
from gateway.sandbox.streams import serve_streams
from gateway.sandbox.tape import Tape, TapedReader
from tests.sandbox.conftest import unchecked

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Host:
    """Serves one handler; ``failed`` are the errors that it ended with, ``tapes`` what came in."""

    def __init__(self, handle: Callable[[ServerStream], Awaitable[None]], max_buffer: int = 10) -> None:
        self.handle = handle
        self.max_buffer = max_buffer
        self.failed: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.tapes: list[Tape] = []

    def reader(self) -> TapedReader:
        tape = Tape()
        self.tapes.append(tape)
        return TapedReader(tape)

    async def serve(self, reader: TapedReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.handle(ServerStream(reader, writer, timeout=10, max_buffer=self.max_buffer))
            self.failed.put_nowait(None)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            self.failed.put_nowait(error)


@pytest.fixture
async def listening() -> AsyncIterator[socket.socket]:
    with bind("a test", Place(socket.SOCK_STREAM, LOOPBACK), 0) as sock:
        yield sock


async def connect(sock: socket.socket) -> Peer:
    return await asyncio.open_connection(LOOPBACK, port_of(sock))


async def test_a_line_that_never_ends_is_given_up_at_the_limit(listening: socket.socket) -> None:
    async def read(stream: ServerStream) -> None:
        assert await stream.read_until(b"\r\n") == b"12345678\r\n"
        await stream.read_until(b"\r\n")

    host = Host(read)
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        _, writer = await connect(listening)
        writer.write(b"12345678\r\n" + b"x" * 11)
        assert isinstance(await host.failed.get(), asyncio.LimitOverrunError)
        writer.close()


async def test_an_end_that_comes_in_two_pieces_is_found(listening: socket.socket) -> None:
    _, writer = await connect(listening)
    reader = TapedReader(Tape())
    stream = ServerStream(reader, writer, timeout=10, max_buffer=10)
    line = asyncio.ensure_future(stream.read_until(b"\r\n"))
    reader.feed_data(b"a\r")
    for _ in range(3):
        await asyncio.sleep(0)
    assert not line.done()
    reader.feed_data(b"\nrest")
    assert await line == b"a\r\n"
    assert await stream.read_some() == b"rest"
    writer.close()


async def test_bytes_pipelined_before_the_handshake_never_pass_for_secured_ones(
    listening: socket.socket, tmp_path: Path
) -> None:
    context = Credentials(tmp_path).server_context("mx.one.example", Behaviour())

    async def upgrade(stream: ServerStream) -> None:
        await stream.read_until(b"\r\n")
        await stream.start_tls(context)

    host = Host(upgrade, max_buffer=100)
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        _, writer = await connect(listening)
        writer.write(b"STARTTLS\r\nMAIL FROM:<a@b>\r\n")
        assert isinstance(await host.failed.get(), ssl.SSLError)
        writer.close()
    assert host.tapes[0].clear == b"STARTTLS\r\nMAIL FROM:<a@b>\r\n"
    assert host.tapes[0].secured == b""


async def test_a_client_that_leaves_amid_the_handshake_is_an_end(listening: socket.socket, tmp_path: Path) -> None:
    context = Credentials(tmp_path).server_context("mx.one.example", Behaviour())

    async def upgrade(stream: ServerStream) -> None:
        await stream.start_tls(context)

    host = Host(upgrade)
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        _, writer = await connect(listening)
        writer.write(b"\x16\x03")
        writer.write_eof()
        assert isinstance(await host.failed.get(), EOFError)
        writer.close()


async def test_a_failed_handshake_sends_its_alert(listening: socket.socket, tmp_path: Path) -> None:
    context = Credentials(tmp_path).server_context("mx.old.example", Behaviour(versions=Versions.TLS10_ONLY))

    async def upgrade(stream: ServerStream) -> None:
        await stream.start_tls(context)

    host = Host(upgrade)
    newest = unchecked()
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        with pytest.raises(ssl.SSLError, match="ALERT"):
            await asyncio.open_connection(LOOPBACK, port_of(listening), ssl=newest)


async def test_both_sides_end_tls_politely(listening: socket.socket, tmp_path: Path) -> None:
    context = Credentials(tmp_path).server_context("mx.one.example", Behaviour())
    got: list[bytes] = []

    async def echo(stream: ServerStream) -> None:
        await stream.start_tls(context)
        got.append(await stream.read_until(b"\n"))
        await stream.write(b"pong\n")
        while block := await stream.read_some():
            got.append(block)
        await stream.finish()

    host = Host(echo, max_buffer=1_000_000)
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        reader, writer = await asyncio.open_connection(LOOPBACK, port_of(listening), ssl=unchecked())
        # More than one TLS record, so that the end of the line comes from a later one.
        writer.write(b"x" * 100_000 + b"\n")
        assert await reader.readline() == b"pong\n"
        writer.close()
        await writer.wait_closed()
        assert await host.failed.get() is None
    assert b"".join(got) == b"x" * 100_000 + b"\n"
    assert host.tapes[0].clear == b""


async def test_more_clients_than_the_limit_are_turned_away_until_one_leaves(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_CONNECTIONS", 2)

    async def wait(stream: ServerStream) -> None:
        await stream.write(b"hello")
        await stream.read_until(b"\n")

    host = Host(wait)
    async with alongside(serve_streams(listening, host.reader, host.serve)):
        peers = [await connect(listening) for _ in range(2)]
        for reader, _ in peers:
            assert await reader.readexactly(5) == b"hello"
        refused, writer = await connect(listening)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await refused.readexactly(5)
        writer.close()
        peers[0][1].write(b"\n")
        assert await peers[0][0].read() == b""
        again, writer = await connect(listening)
        assert await again.readexactly(5) == b"hello"
        for _, each in (*peers, (again, writer)):
            each.close()


def test_a_script_forgets_the_oldest_count_and_begins_that_fault_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "REMEMBERED", 2)
    script = Script((Fault(stage=Stage.DOT, answer="451", times=1),))
    assert [script.next(Stage.DOT, key=key) for key in "aabb"] == ["451", None, "451", None]
    assert [script.next(Stage.DOT, key=key) for key in "ca"] == ["451", "451"]
    assert script.next(Stage.DATA, key="c") is None
