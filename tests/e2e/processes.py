"""The gateway's processes as a test sees them from outside: by the locks they hold, killed without a goodbye."""

import asyncio
import contextlib
import os
import signal
import smtplib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.record import QueueId
from tests.cli.running import gone as one_gone
from tests.e2e.shared_stage import Token
from tests.e2e.stage import Stage

PACE = 0.05
"""Seconds between two messages of one client, so that a test ends with hundreds of them and not with thousands."""


def owner(lock: Path) -> int:
    """The process that holds a lock, or held it last."""
    return int(lock.read_text())


def supervisor(on: Stage) -> int:
    return owner(on.spool / "lock")


def worker(on: Stage, shard: int = 0) -> int:
    return owner(on.spool / f"shard-{shard:03d}" / "lock")


def workers(on: Stage) -> list[int]:
    """The supervisor's children."""
    pid = supervisor(on)
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(*pids: int) -> None:
    """No goodbye for any of them; one that is gone already is fine."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def gone(*pids: int) -> None:
    """Waits until they have ended, whoever's children they are."""
    for pid in pids:
        await one_gone(pid)


@dataclass
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


async def sealpost(*words: str) -> Ran:
    """Runs one command to its end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", *words, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


@dataclass
class Flow:
    """Clients that send one message after another to a host, and know which were acknowledged."""

    on: Stage
    domains: tuple[str, ...] = ("tls.example", "flaky.example")
    acknowledged: dict[QueueId, str] = field(default_factory=dict[QueueId, str])
    _stopped: bool = False

    @contextlib.asynccontextmanager
    async def running(self, clients: int = 3) -> AsyncGenerator["Flow"]:
        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(self._client(number))
            try:
                yield self
            finally:
                self._stopped = True

    async def _client(self, number: int) -> None:
        count = number
        while not self._stopped:
            token, domain = Token(), self.domains[count % len(self.domains)]
            # Every fourth has a body that is too large for its row.
            attach = (200_000,) if count % 4 == 3 else ()
            content = token.letter(domain, classification="restricted", attach=attach)
            count += 1
            try:
                queue_id = await self.on.submit(content, token.at(domain), sender=token.sender)
                self.acknowledged[queue_id] = token.at(domain)
            except (OSError, smtplib.SMTPException, AssertionError):
                pass  # Not acknowledged: whether it arrives is nobody's promise.
            await asyncio.sleep(PACE)

    async def more(self, count: int = 20) -> None:
        """Waits until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        await self.on.until(lambda: len(self.acknowledged) >= wanted)
