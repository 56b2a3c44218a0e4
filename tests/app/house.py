"""A real gateway in a small world: its folder with configuration and keys, mail hosts on loopback, and a client."""

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway.core.record import Event, EventKind, QueueId
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.household import Household, Ports
from gateway.sandbox.world import World, WorldOptions
from gateway.spool.reader import ShardReader
from tests.fakes.ports import free_port

SENDER = "officer@council.example"
SOON = timedelta(seconds=30)


@dataclass
class House:
    """``household`` has the files, ``world`` the hosts; ``smtp``, ``admin`` and ``portal`` (0: none) are ports."""

    household: Household
    world: World
    smtp: int
    admin: int
    portal: int = 0

    def edit(self, path: Path, old: str, new: str) -> None:
        """Changes one of the files; the text must be there."""
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new))

    async def send(self, *recipients: str, level: str = "restricted", size: int = 0) -> QueueId:
        """Sends one message over SMTP; returns its queue id."""
        return await asyncio.to_thread(self._send, recipients, letter(level, size))

    def _send(self, recipients: tuple[str, ...], content: bytes) -> QueueId:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=30) as client:
            client.ehlo("desk.council.example")
            assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 250
            for recipient in recipients:
                assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
            code, text = client.data(content)
            assert code == 250, text
            return QueueId(text.decode().split()[-1])

    async def arrived(self, address: str, count: int = 1) -> tuple[Arrival, ...]:
        """Waits until so many messages to that address have come to the world."""
        await self.world.inbox.wait(lambda inbox: len(inbox.to(address)) >= count, SOON)
        return self.world.inbox.to(address)

    def events(self, queue_id: QueueId | None = None, kind: EventKind | None = None) -> list[Event]:
        """The audit so far."""
        found = (event for _, event in ShardReader(self.household.spool).events(queue_id))
        return [event for event in found if kind in (None, event.kind)]

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for what a process writes to the spool."""
        async with asyncio.timeout(SOON.total_seconds()):
            while not true():  # noqa: ASYNC110  another process cannot set an event
                await asyncio.sleep(0.02)

    async def ended(self, queue_id: QueueId) -> Event:
        """Waits for the end of a message with one recipient."""
        await self.until(lambda: bool(self.events(queue_id, EventKind.ENDED)))
        [event] = self.events(queue_id, EventKind.ENDED)
        return event


def letter(level: str, size: int = 0) -> bytes:
    """A message of at least that many bytes."""
    filler = b"".join(b"%07d\r\n" % number for number in range(size // 9 + 1))
    header = (
        f"From: <{SENDER}>\r\nTo: x\r\nSubject: hello\r\nMessage-ID: <1@council.example>\r\nX-Classification: {level}"
    )
    return header.encode() + b"\r\n\r\n" + filler


@contextlib.asynccontextmanager
async def house(folder: Path, *, workers: int = 1, portal: bool = False) -> AsyncGenerator[House]:
    """The world lives until the block ends; the gateway is the test's own business.

    With ``portal`` the route `encrypted` leads into that, else to a connector.
    """
    household = Household(folder / "data")
    household.create()
    async with World(WorldOptions(directory=household.certificates)) as world:
        ports = Ports(
            smtp=free_port(),
            admin=free_port(),
            inbox=0,
            dns=world.dns_port,
            mx=world.mx_port,
            portal=free_port() if portal else 0,
        )
        household.furnish(ports, world.credentials)
        here = House(household, world, ports.smtp, ports.admin, ports.portal)
        here.edit(household.config, "workers  = 1", f"workers  = {workers}")
        # Long enough that only an operator, or a test that says so, brings a second attempt.
        here.edit(household.config, 'retry_min    = "2s"', 'retry_min    = "30s"')
        yield here
