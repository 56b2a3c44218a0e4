"""A supervisor with stand-in workers, a source that a test rewrites, and the questions that tests ask of them."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.app.control import open_control
from gateway.app.metrics_folder import empty_metrics_folder
from gateway.app.sockets import open_sockets
from gateway.app.source import Configuration
from gateway.app.supervisor import Held, Setting, Supervisor
from gateway.app.wiring import Address, Wiring
from gateway.config.problems import ConfigError, Problem
from gateway.telemetry.log import Level, Log, LogFile
from tests.app.stand_in import digest

STAND_IN = (sys.executable, "-m", "tests.app.stand_in")
ROOT = Path(__file__).parents[2]


def configuration(text: str, wiring: Wiring) -> Configuration:
    bundle = text.encode()
    return Configuration(bundle=bundle, hash=digest(bundle), policy_hash=f"policy of {text}", wiring=wiring)


@dataclass
class EditedSource:
    """Stands for the files; ``text`` and ``wiring`` are what they say now, ``problem`` what is wrong with them."""

    text: str
    wiring: Wiring
    problem: str = ""
    reads: int = 0

    def read(self) -> Configuration:
        self.reads += 1
        if self.problem:
            raise ConfigError((Problem(file="sealpost.toml", key="routes.tls.tls", text=self.problem),))
        return configuration(self.text, self.wiring)


class Lines(LogFile):
    """Keeps the log's lines."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.bytes = io.BytesIO()
        self.written = asyncio.Event()

    def write(self, line: bytes) -> None:
        self.written.set()
        self.bytes.write(line)

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.bytes.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]


@dataclass
class World:
    supervisor: Supervisor
    source: EditedSource
    held: Held
    log: Lines
    spool: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        return int(self.held.doors[0][0].getsockname()[1])

    @property
    def admin_port(self) -> int:
        assert self.held.admin is not None
        return int(self.held.admin.getsockname()[1])

    async def until(self, event: str, count: int = 1) -> list[dict[str, object]]:
        """Waits until the log has so many lines of an event."""
        async with asyncio.timeout(40):
            while len(lines := self.log.events(event)) < count:
                self.log.written.clear()
                await self.log.written.wait()
        return lines

    async def greeting(self) -> tuple[int, int, str]:
        """Slot, process and configuration of whichever worker took the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        slot, pid, text = (await reader.read()).decode().split(" ", 2)
        writer.close()
        return int(slot), int(pid), text

    async def workers(self) -> dict[int, int]:
        """The process of each slot, by asking until every slot has answered."""
        found: dict[int, int] = {}
        while len(found) < len(self.held.doors[0]):
            slot, pid, _ = await self.greeting()
            found[slot] = pid
        return found

    async def get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin_port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split(" ")[1]), body


@contextlib.asynccontextmanager
async def running(
    folder: Path, *, workers: int = 2, text: str = "first", grace: float = 5, wait: bool = True
) -> AsyncGenerator[World]:
    """A supervisor that runs until the block ends, and is then stopped; ``wait`` for its workers to be ready."""
    spool_of(folder)
    wiring = Wiring(
        hostname="gateway.example",
        workers=workers,
        spool=folder,
        smtp=(Address(name="smtp", host="127.0.0.1", port=0),),
        admin=Address(name="admin", host="127.0.0.1", port=0),
        log_level="info",
    )
    source = EditedSource(text, wiring)
    held = Held(
        doors=(open_sockets(wiring.smtp[0], workers),),
        admin=open_sockets(wiring.smtp[0], 1)[0],
        control=open_control(folder),
        metrics=empty_metrics_folder(folder, {"RUNTIME_DIRECTORY": str(folder)}),
    )
    log = Lines()
    ready = asyncio.Event()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    setting = Setting(workers=workers, environment=environment, command=STAND_IN, grace=grace, announce=ready.set)
    supervisor = Supervisor(source, configuration(text, wiring), held, setting, Log(log, Level.INFO))
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(supervisor.run())
        try:
            if wait:
                await ready.wait()
            yield World(supervisor, source, held, log, folder, ready)
        finally:
            supervisor.stop()
            await run
            for sockets in held.doors:
                for sock in sockets:
                    sock.close()
            held.control.close()


def with_hostname(wiring: Wiring, hostname: str) -> Wiring:
    return replace(wiring, hostname=hostname)


def spool_of(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
