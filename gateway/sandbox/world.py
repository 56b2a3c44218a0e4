"""A small world of mail on loopback: its DNS, its MX hosts, and everything that arrived there.

`make run` builds it from the default cast on known ports; a test gives its own cast and takes free ports.
"""

import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from gateway.sandbox.alongside import alongside
from gateway.sandbox.cast import default_cast, default_extras, zone_for
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.dns_server import DnsServer
from gateway.sandbox.inbox import Inbox
from gateway.sandbox.mx_host import MAX_VISITS, HostSpec, MxHost, Recording
from gateway.sandbox.sockets import LOOPBACK, Place, bind_all, port_of
from gateway.sandbox.tape import DEFAULT_LIMIT
from gateway.sandbox.zone import Zone

MX: Final = "the MX hosts"
DNS: Final = "DNS"
_PATIENCE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What a world is made of. ``directory`` takes its certificates; port 0 is a free one.

    ``tape_limit`` is in bytes per connection and phase, ``visits`` in connections per host; ``timeout`` is how long a
    host waits for a client.
    """

    directory: Path
    cast: tuple[HostSpec, ...] = field(default_factory=default_cast)
    extras: Zone = field(default_factory=default_extras)
    dns_port: int = 0
    mx_port: int = 0
    tape_limit: int = DEFAULT_LIMIT
    visits: int = MAX_VISITS
    timeout: timedelta = _PATIENCE


class World:
    """An asynchronous context manager; the world lives inside it.

    ``hosts`` are by host name. ``dns.zone`` may be replaced and `MxHost.behave` called while it lives.
    """

    def __init__(self, options: WorldOptions, inbox: Inbox | None = None) -> None:
        self.inbox = inbox or Inbox()
        self.credentials = Credentials(options.directory)
        recording = Recording(
            inbox=self.inbox, tape_limit=options.tape_limit, timeout=options.timeout, visits=options.visits
        )
        self.hosts: Mapping[str, MxHost] = {
            spec.name: MxHost(spec, self.credentials, recording) for spec in options.cast
        }
        self.dns = DnsServer(zone_for(options.cast, options.extras))
        self.dns_port = options.dns_port
        self.mx_port = options.mx_port
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Opens all ports. Raises PortTaken, OSError; then none is open."""
        async with AsyncExitStack() as stack:
            mx_sockets = self._bind_hosts()
            for sock in mx_sockets:
                stack.callback(sock.close)
            dns_sockets = self._bind_dns()
            for sock in dns_sockets:
                stack.callback(sock.close)
            servers = [host.serve(sock) for host, sock in zip(self.hosts.values(), mx_sockets, strict=True)]
            await stack.enter_async_context(alongside(*servers, self.dns.serve(*dns_sockets)))
            self._stack = stack.pop_all()
        return self

    def _bind_hosts(self) -> tuple[socket.socket, ...]:
        places = (Place(socket.SOCK_STREAM, host.spec.address) for host in self.hosts.values())
        sockets = bind_all(MX, places, self.mx_port)
        self.mx_port = port_of(sockets[0]) if sockets else self.mx_port
        return sockets

    def _bind_dns(self) -> tuple[socket.socket, ...]:
        places = (Place(socket.SOCK_DGRAM, LOOPBACK), Place(socket.SOCK_STREAM, LOOPBACK))
        sockets = bind_all(DNS, places, self.dns_port)
        self.dns_port = port_of(sockets[0])
        return sockets

    async def __aexit__(self, *_error: object) -> None:
        """Cuts all connections off and closes all ports."""
        await self._stack.aclose()
