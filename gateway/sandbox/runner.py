"""Runs the whole sandbox: the world, the inbox page, and the gateway in a process of its own, until a signal."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.sandbox.alongside import alongside
from gateway.sandbox.evidence import GatewayEvidence
from gateway.sandbox.gateway_process import GatewayProcess, run_command
from gateway.sandbox.household import Household, Ports
from gateway.sandbox.pages import Pages
from gateway.sandbox.sockets import LOOPBACK, Place, bind, port_of, reserve
from gateway.sandbox.spool_records import SpoolRecords
from gateway.sandbox.world import World, WorldOptions
from gateway.spool.lock import SpoolLock
from gateway.web.serving import serve

SMTP: Final = "SMTP"
ADMIN: Final = "the admin page"
INBOX: Final = "the inbox page"
PORTAL: Final = "the portal"

# SIGHUP: the terminal was closed; the gateway has a session of its own and would live on.
_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Where it keeps its files, and the wanted ports; 0 takes a free one.

    ``command`` says how a gateway is started with a configuration.
    """

    data: Path
    ports: Ports
    command: Callable[[Path], tuple[str, ...]] = run_command


async def run_sandbox(options: SandboxOptions, started: Callable[[Ports], None]) -> None:
    """Calls ``started`` when everything is ready; returns after SIGINT, SIGTERM or SIGHUP, with everything stopped.

    Raises Locked (another sandbox lives in that folder), PortTaken, GatewayDied, OSError.
    """
    loop = asyncio.get_running_loop()
    # A time limit that a signal brings forward: it cancels what runs, wherever that stands.
    life = asyncio.timeout(None)

    def stop() -> None:
        if not life.expired():
            life.reschedule(loop.time())

    try:
        async with life:
            for number in _STOPS:
                loop.add_signal_handler(number, stop)
            await _live(options, started)
    except TimeoutError:
        if not life.expired():
            raise
    finally:
        for number in _STOPS:
            loop.remove_signal_handler(number)


async def _live(options: SandboxOptions, started: Callable[[Ports], None]) -> None:
    house = Household(options.data)
    house.create()
    wanted = options.ports
    with ExitStack() as stack:
        # Before anything is written: a second sandbox in the same folder would pull the first one's files away.
        stack.enter_context(SpoolLock(house.lock))
        inbox_socket = stack.enter_context(bind(INBOX, Place(socket.SOCK_STREAM, LOOPBACK), wanted.inbox))
        world_options = WorldOptions(directory=house.certificates, dns_port=wanted.dns, mx_port=wanted.mx)
        async with World(world_options) as world:
            smtp, admin, portal = reserve((SMTP, wanted.smtp), (ADMIN, wanted.admin), (PORTAL, wanted.portal))
            ports = Ports(
                smtp=smtp,
                admin=admin,
                inbox=port_of(inbox_socket),
                dns=world.dns_port,
                mx=world.mx_port,
                portal=portal,
            )
            house.furnish(ports, world.credentials)
            pages = Pages(world.inbox, GatewayEvidence(SpoolRecords(house.spool)))
            async with alongside(serve(pages.application(), inbox_socket, at_once=64, grace=1)):
                await _run_gateway(GatewayProcess(options.command(house.config), house.log), ports, started)


async def _run_gateway(gateway: GatewayProcess, ports: Ports, started: Callable[[Ports], None]) -> None:
    try:
        await gateway.start(ports.admin)
        started(ports)
        await gateway.died()
    finally:
        await gateway.stop()
