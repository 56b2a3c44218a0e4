"""`sealpost run` as a process of its own in the small world, and the other commands asked beside it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.app.house import House


@dataclass
class Ran:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


async def sealpost(here: House, *words: str) -> Ran:
    """Runs one command to its end with the house's configuration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *words, "--config", str(here.household.config)), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


@dataclass
class Service:
    """A running gateway."""

    here: House
    process: Process

    async def ready(self) -> None:
        """Waits until the admin port says so."""
        await self.until("/readyz", lambda page: page == "ready\n")

    async def until(self, path: str, true: Callable[[str], bool]) -> None:
        """Waits until a page of the admin port is as wanted."""
        async with asyncio.timeout(30):
            while not true(await self.get(path)):
                assert self.process.returncode is None, self.here.household.log.read_text()
                await asyncio.sleep(0.05)

    async def get(self, path: str) -> str:
        """A page of the admin port; empty if nobody answers."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.here.admin)
        except OSError:
            return ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer.partition("\r\n\r\n")[2]

    async def metric(self, line: str) -> float:
        """The value of one sample."""
        page = (await self.get("/metrics")).splitlines()
        [value] = [float(text.rpartition(" ")[2]) for text in page if text.rpartition(" ")[0] == line]
        return value

    def lines(self, event: str) -> list[dict[str, object]]:
        """The log's lines of one event."""
        found = [json.loads(line) for line in self.here.household.log.read_text().splitlines()]
        return [line for line in found if line["event"] == event]

    def workers(self) -> list[int]:
        """The processes of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    async def kill(self) -> None:
        """Kills the supervisor, which cannot say goodbye, and waits until its workers have gone too."""
        workers = self.workers()
        self.process.kill()
        await self.process.wait()
        for pid in workers:
            await gone(pid)


async def gone(pid: int) -> None:
    """Waits for the end of a process that need not be a child."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, done.set)
        await done.wait()
        loop.remove_reader(descriptor)
        os.close(descriptor)


@contextlib.asynccontextmanager
async def started(here: House) -> AsyncGenerator[Service]:
    """Starts the gateway, waits until it is ready, and ends it if the test has not."""
    log = os.open(here.household.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "run", "--config", str(here.household.config)), stdout=log, stderr=log
    )
    os.close(log)
    service = Service(here, process)
    try:
        await service.ready()
        yield service
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
