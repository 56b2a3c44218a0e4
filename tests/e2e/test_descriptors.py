"""A gateway that has no descriptor left: clients wait or are cut off before a word, and nothing taken suffers."""

import asyncio
import smtplib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.core.record import QueueId
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.gateway_process import GatewayProcess, run_command
from tests.e2e.processes import worker
from tests.e2e.shared_stage import Token
from tests.e2e.stage import Stage, stage
from tests.e2e.test_faults import all_end, deferred, setting

LIMIT = 100
"""Descriptors of each process; a worker at rest has some thirty."""


class IdleClients:
    """They hold a place each and say nothing; from many addresses."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def come(self) -> None:
        """One more; the gateway may cut it off at once."""
        own = (f"127.0.9.{len(self._writers) % 200 + 1}", 0)
        _, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=own)
        self._writers.append(writer)

    def go(self) -> None:
        """All of them."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def short_of_descriptors(folder: Path) -> AsyncGenerator[Stage]:
    async with stage(folder, setting(), start=False) as on:
        command = ("prlimit", f"--nofile={LIMIT}", *run_command(on.config))
        on.process = GatewayProcess(command, folder / "gateway.log")
        try:
            await on.start()
            yield on
        finally:
            await on.process.stop()


@asynccontextmanager
async def crowd(on: Stage) -> AsyncGenerator[None]:
    """As many clients as the worker has descriptors for; what it closes meanwhile, a further one takes."""
    clients = IdleClients(on.smtp_port)
    try:
        async with asyncio.timeout(60):
            while descriptors(worker(on)) < LIMIT:
                await clients.come()
                await asyncio.sleep(0.01)
        yield
    finally:
        clients.go()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def try_to_send(on: Stage) -> dict[QueueId, str]:
    """One message; empty if it was not taken."""
    token = Token()
    content = token.letter("tls.example", classification="restricted", attach=(300_000,))
    try:
        queue_id = await on.submit(content, token.at("tls.example"), sender=token.sender)
    except (AssertionError, OSError, smtplib.SMTPException):
        return {}
    return {queue_id: token.at("tls.example")}


async def sent_in_the_end(on: Stage) -> dict[QueueId, str]:
    """Whoever is cut off comes again, as a mail server does."""
    async with asyncio.timeout(30):
        while not (sent := await try_to_send(on)):  # noqa: ASYNC110  another process cannot set an event
            await asyncio.sleep(0.1)
    return sent


async def test_without_a_descriptor_left_nothing_is_lost_and_all_goes_on_when_there_are_some(tmp_path: Path) -> None:
    async with short_of_descriptors(tmp_path) as on:
        waiting = await deferred(on, 3) | await deferred(on, 2, attach=(300_000,))
        pid = worker(on)
        async with crowd(on):
            on.world.hosts["mx.tls.example"].behave(Behaviour())
            tries = len(on.events())
            await on.until(lambda: len(on.events()) > tries)
        waiting |= await sent_in_the_end(on)
        await all_end(on, waiting, set(waiting))
        assert worker(on) == pid
