"""A connection against a peer that floods, stops, hangs up or says nothing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gateway.net.connection import MAX_UNREAD, Connection, connect
from gateway.wire.errors import RemoteProtocolError

SOON = timedelta(seconds=5)
SHORT = timedelta(milliseconds=50)

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(peer: Peer) -> AsyncGenerator[Connection]:
    over, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(reader, writer)
        await over.wait()
        writer.transport.abort()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = await connect("127.0.0.1", server.sockets[0].getsockname()[1], SOON)
    try:
        yield connection
    finally:
        over.set()
        connection.abort()
        await ended.wait()
        await connection.closed(SOON)
        server.close()
        await server.wait_closed()


async def test_replies_come_in_their_order_and_a_flood_is_held_off() -> None:
    line = b"250 " + b"x" * 94 + b"\r\n"
    count = 40 * MAX_UNREAD // len(line)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for number in range(count):
            writer.write(b"%d" % (200 + number % 100) + line[3:])

    async with connected(flood) as connection:
        connection.send(b"go\r\n")
        replies = [await connection.reply(SOON)]
        most = 0
        while len(replies) < count:
            await asyncio.sleep(0)
            most = max(most, connection._replies.waiting)
            replies.append(await connection.reply(SOON))
        assert [reply.code for reply in replies] == [200 + number % 100 for number in range(count)]
        assert MAX_UNREAD < most <= MAX_UNREAD + 256 * 1024
        assert connection.quiet


async def test_silence_ends_in_time() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-half a reply\r\n")

    async with connected(nothing) as connection:
        with pytest.raises(RemoteProtocolError, match=r"silent for 0\.05 s"):
            await connection.reply(SHORT)


async def test_what_was_said_before_the_end_is_still_read() -> None:
    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 bye\r\n")
        writer.close()

    async with connected(farewell) as connection:
        await connection.closed(SOON)
        assert not connection.quiet
        assert (await connection.reply(SOON)).code == 421
        with pytest.raises(RemoteProtocolError, match="closed the connection"):
            await connection.reply(SOON)
        with pytest.raises(RemoteProtocolError):
            connection.send(b"QUIT\r\n")
        with pytest.raises(RemoteProtocolError):
            await connection.drain(SOON)


async def test_a_reset_is_a_lost_connection() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.transport.abort()

    async with connected(reset) as connection:
        connection.send(b"x\r\n" * 1000)
        with pytest.raises(RemoteProtocolError, match=r"lost|closed"):
            await connection.reply(SOON)


async def test_sending_waits_for_a_slow_reader_within_its_time() -> None:
    read_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_on.wait()
        while len(await reader.read(1 << 20)) > 0:
            pass

    async with connected(slow) as connection:
        block = b"x" * 256 * 1024
        with pytest.raises(RemoteProtocolError, match="silent"):
            for _ in range(400):
                connection.send(block)
                await connection.drain(SHORT)
        read_on.set()
        await connection.drain(SOON)


async def test_a_connection_that_was_never_made_cannot_be_used() -> None:
    connection = Connection()
    with pytest.raises(RemoteProtocolError):
        connection.send(b"x")
    connection.close()
    connection.abort()
    assert not connection.quiet


async def test_connecting_ends_in_time() -> None:
    with pytest.raises(TimeoutError):
        await connect("127.0.0.1", 1, timedelta(0))
