"""`sealpost tls policy-server` as a process of its own, and a client that asks it as Postfix does."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

WITHIN = 30.0


@dataclass
class PolicyServer:
    """A running one. Its log is read as far as a test waits for it."""

    process: Process
    address: str
    lines: list[dict[str, object]] = field(default_factory=list)

    @property
    def map(self) -> str:
        """The table as Postfix is told of it."""
        kind = "" if self.address.startswith("unix:") else "inet:"
        return f"socketmap:{kind}{self.address}:tls"

    async def heard(self, event: str, count: int = 1) -> dict[str, object]:
        """Waits until its log has so many lines of the event; the last of them."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN):
            while len(found := [line for line in self.lines if line["event"] == event]) < count:
                line = await self.process.stdout.readline()
                assert line, self.lines
                self.lines.append(json.loads(line))
        return found[count - 1]

    async def ask(self, key: str, map: str = "tls") -> str:
        """One lookup on a connection of its own."""
        return await asyncio.to_thread(self._ask, f"{map} {key}".encode())

    def _ask(self, request: bytes) -> str:
        unix = self.address.startswith("unix:")
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
            client.settimeout(WITHIN)
            host, _, port = self.address.rpartition(":")
            client.connect(self.address.removeprefix("unix:") if unix else (host, int(port)))
            client.sendall(b"%d:%s," % (len(request), request))
            with client.makefile("rb") as replies:
                return _netstring(replies.read1(4096))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


def _netstring(data: bytes) -> str:
    size, _, rest = data.partition(b":")
    assert len(rest) == int(size) + 1, data
    return rest[:-1].decode()


@contextlib.asynccontextmanager
async def policy_server(config: Path, address: str) -> AsyncGenerator[PolicyServer]:
    """Starts it, waits until it is ready, and ends it if the test has not."""
    words = ("tls", "policy-server", "--address", address, "--config", str(config))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", *words, stdout=PIPE)
    server = PolicyServer(process, address)
    try:
        await server.heard("policy server ready")
        yield server
    finally:
        await server.stop(signal.SIGKILL)
