"""A socketmap over real sockets: lookups in turn, limits, faults, and a stop that lets lookups end."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.listeners.socketmap import SocketmapLimits, SocketmapServer
from gateway.telemetry.log import Level, Log, LogFile
from gateway.wire.socketmap import Reply, Request, Result

SOON = timedelta(milliseconds=50)
LONG = timedelta(seconds=20)


@dataclass
class Answers:
    """Answers with the key itself, but some keys as the test says."""

    asked: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request.key)
        if request.key == "slow":
            self.begun.set()
            await self.go_on.wait()
        if request.key == "broken":
            raise RuntimeError("a secret")
        return Reply(Result.OK, request.key)


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def ask(self, *keys: str) -> None:
        for key in keys:
            self.send(b"%d:tls %s," % (len(key) + 4, key.encode()))

    async def reply(self) -> bytes:
        size = int((await self.reader.readuntil(b":"))[:-1])
        return (await self.reader.readexactly(size + 1))[:-1]

    async def ended(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@dataclass
class Running:
    sock: socket.socket
    answers: Answers
    log: Path
    task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        open_one = asyncio.open_unix_connection if self.sock.family is socket.AF_UNIX else asyncio.open_connection
        name = self.sock.getsockname()
        where = (name,) if isinstance(name, str) else name[:2]
        client = Client(*await open_one(*where))
        try:
            yield client
        finally:
            client.writer.transport.abort()

    def logged(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def serving(
    folder: Path, limits: SocketmapLimits | None = None, *, unix: bool = False, grace: timedelta = LONG
) -> AsyncGenerator[Running]:
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    sock.bind(str(folder / "socket") if unix else ("127.0.0.1", 0))
    sock.listen()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    running = Running(sock, Answers(), folder / "log")
    server = SocketmapServer(running.answers, Log(LogFile(log), Level.INFO), limits)
    running.task = asyncio.create_task(server.serve(sock, grace))
    try:
        async with asyncio.timeout(30):
            yield running
    finally:
        running.answers.go_on.set()
        await running.stop()
        os.close(log)


@pytest.mark.parametrize("unix", [False, True])
async def test_lookups_are_answered_in_turn(tmp_path: Path, unix: bool) -> None:
    async with serving(tmp_path, unix=unix) as running, running.client() as client:
        client.ask("a", "b")
        assert [await client.reply(), await client.reply()] == [b"OK a", b"OK b"]
        client.send(b"5:tls")
        client.send(b" c,")
        assert await client.reply() == b"OK c"
        assert running.answers.asked == ["a", "b", "c"]


async def test_a_slow_lookup_holds_nobody_else_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as one, running.client() as other:
        one.ask("slow")
        await running.answers.begun.wait()
        other.ask("quick")
        assert await other.reply() == b"OK quick"
        running.answers.go_on.set()
        assert await one.reply() == b"OK slow"


async def test_a_fault_of_ours_is_a_refusal_for_now_and_tells_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as client:
        client.ask("broken", "next")
        assert (await client.reply()).startswith(b"TEMP a fault in the policy server")
        assert await client.reply() == b"OK next"
        assert running.logged() == ["broken"]
        assert "a secret" not in running.log.read_text()


async def test_a_lookup_that_takes_too_long_is_told_as_that(tmp_path: Path) -> None:
    async with serving(tmp_path, SocketmapLimits(answered=SOON)) as running, running.client() as client:
        client.ask("slow", "next")
        assert (await client.reply()).startswith(b"TIMEOUT ")
        assert await client.reply() == b"OK next"


async def test_what_is_no_lookup_ends_the_connection_and_is_logged(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.ended()
        assert running.logged() == ["socketmap misused"]


async def test_a_silent_connection_is_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, SocketmapLimits(silent=SOON)) as running, running.client() as client:
        client.send(b"9:tls")
        assert await client.ended()


async def test_who_takes_no_replies_is_cut_off(tmp_path: Path) -> None:
    async with serving(tmp_path, SocketmapLimits(taken=SOON)) as running:
        name = running.sock.getsockname()
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, name)
            key = "x" * 1000
            lookups = b"1004:tls %s," % key.encode() * 20_000
            with pytest.raises(ConnectionError):
                await loop.sock_sendall(client, lookups)
        assert len(running.answers.asked) < 20_000


async def test_more_connections_than_there_are_places_are_turned_away(tmp_path: Path) -> None:
    async with serving(tmp_path, SocketmapLimits(at_once=1)) as running:
        async with running.client() as first:
            first.ask("a")
            assert await first.reply() == b"OK a"
            async with running.client() as second:
                assert await second.ended()
            assert running.logged() == ["socketmap full"]
            first.writer.close()
            await first.ended()
        while True:  # The place is free once the server has seen the end.
            async with running.client() as third:
                third.ask("c")
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    assert await third.reply() == b"OK c"
                    return


async def test_a_stop_lets_lookups_end_and_takes_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as idle, running.client() as busy:
        idle.ask("a")
        assert await idle.reply() == b"OK a"
        busy.ask("slow", "never")
        await running.answers.begun.wait()
        stopping = asyncio.create_task(running.stop())
        assert await idle.ended()
        running.answers.go_on.set()
        assert await busy.reply() == b"OK slow"
        assert await busy.ended()
        await stopping
        assert running.answers.asked == ["a", "slow"]


async def test_a_stop_waits_for_no_lookup_beyond_its_grace(tmp_path: Path) -> None:
    async with serving(tmp_path, grace=SOON) as running, running.client() as busy:
        busy.ask("slow")
        await running.answers.begun.wait()
        await running.stop()
        assert await busy.ended()
