"""A worker that only greets: it says its slot, process and configuration to whoever connects, and obeys the supervisor.

The configuration's text makes it misbehave: ``refuse`` it does not take over, ``mute`` makes it deaf to Stop, ``sick``
takes its disk, ``dumb`` makes it forget to answer, ``mad`` talk nonsense, ``mortal`` die, and ``broken`` not start.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import signal
import socket
import sys

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.app.link import Link, open_link
from gateway.app.messages import Health, NotReloaded, Operate, Operated, Reload, Running, Start, Stop
from gateway.telemetry.processes import use_slot


class StandIn:
    def __init__(self, slot: int, link: Link, answers: int) -> None:
        self.slot = slot
        self.answers = answers
        self.link = link
        self.bundle = b""

    async def run(self) -> None:
        start = await self.link.receive()
        assert isinstance(start, Start)
        self.bundle = start.bundle
        if b"broken" in self.bundle:
            self.link.send(NotReloaded(hash=digest(self.bundle), reason="the certificate cannot be read"))
            sys.exit(1)
        for descriptor in start.listeners:
            await asyncio.start_server(self.greet, sock=socket.socket(fileno=descriptor))
        self.report()
        while (command := await self.link.receive()) is not None:
            if isinstance(command, Stop) and b"mute" not in self.bundle:
                return
            if isinstance(command, Reload):
                self.reload(command.bundle)
            if isinstance(command, Operate) and b"dumb" not in self.bundle:
                self.link.send(Operated(number=command.number, changed=1 + self.slot))

    def reload(self, bundle: bytes) -> None:
        if b"mortal" in bundle and b"mortal" not in self.bundle:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"mad" in bundle:
            os.write(self.answers, b"\xff\xff\xff\xffnonsense")
        if b"dumb" in bundle:
            self.bundle = bundle
            return
        if b"refuse" in bundle and self.slot == 1:
            self.link.send(NotReloaded(hash=digest(bundle), reason="the certificate cannot be read"))
            return
        self.bundle = bundle
        self.report()

    def report(self) -> None:
        self.link.send(Health(shards=(self.slot,), problem="has a full disk" if b"sick" in self.bundle else None))
        self.link.send(Running(hash=digest(self.bundle)))

    async def greet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.slot} {os.getpid()} {self.bundle.decode()}".encode())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def digest(bundle: bytes) -> str:
    return hashlib.sha256(bundle).hexdigest()


async def work(slot: int, answers: int) -> None:
    async with open_link(sys.stdin.fileno(), answers) as link:
        await StandIn(slot, link, answers).run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slot", type=int)
    parser.add_argument("--answers", type=int)
    given = parser.parse_args()
    use_slot(given.slot)
    registry = CollectorRegistry()
    Counter("standin_started", "Starts.", registry=registry).inc()
    Gauge("standin_alive", "Alive.", registry=registry, multiprocess_mode="livesum").set(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(work(given.slot, given.answers))


if __name__ == "__main__":
    main()
