"""A world on free ports, and a blocking SMTP client to visit it with."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.sandbox.world import World, WorldOptions

T = TypeVar("T")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The default cast."""
    async with World(WorldOptions(directory=tmp_path / "certs")) as living:
        yield living


class Client(smtplib.SMTP):
    """Connects to an address, and checks certificates against the host's name."""

    def __init__(self, host: str) -> None:
        super().__init__(local_hostname="client.example", timeout=10)
        self._host = host


async def visit(world: World, host: str, talk: Callable[[smtplib.SMTP], T]) -> T:
    """Runs a blocking dialogue with a host by its name, in a thread; closes the connection afterwards."""

    def run() -> T:
        client = Client(host)
        try:
            client.connect(world.hosts[host].spec.address, world.mx_port)
            return talk(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


def trusting(world: World) -> ssl.SSLContext:
    """A client context that trusts the world's authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(world.credentials.ca)
    return context


def unchecked() -> ssl.SSLContext:
    """A client context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


MESSAGE = b"From: officer@council.example\r\nMessage-ID: <1@council.example>\r\nSubject: hello\r\n\r\nA body.\r\n"


def send(client: smtplib.SMTP, to: str, message: bytes = MESSAGE) -> tuple[int, bytes]:
    """MAIL, RCPT and DATA on a greeted connection; returns the first reply that is not positive, or the last."""
    for reply in (client.mail("officer@council.example"), client.rcpt(to)):
        if reply[0] >= 400:
            return reply
    return client.data(message)
