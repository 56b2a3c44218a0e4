"""The outside of a self-test: name server, mail hosts and policy files on loopback, and what each host may be given.

Left out on purpose: what arrived, which is `selftest.proof`'s.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.core.tls import Protection
from gateway.sandbox.alongside import alongside
from gateway.sandbox.mx_host import HostSpec, MxHost
from gateway.sandbox.policy_host import PolicyHost, policy_name
from gateway.sandbox.sockets import Place, bind, port_of
from gateway.sandbox.world import World, WorldOptions
from gateway.sandbox.zone import Trouble, Zone
from gateway.selftest.connectors import Connector
from gateway.selftest.fault import TlsaIs, Trap

_NETWORK: Final = "127.0.26."
_POLICIES: Final = "127.0.28.1"
_TAPE: Final = 4 * 1024 * 1024
"""Bytes of each connection and phase; a proof needs all of them."""
_VISITS: Final = 20_000
"""Connections to one host; a proof needs all of these too."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A recording host, and the most that a message may demand which arrives there."""

    host: MxHost
    what: str
    in_clear: Protection
    in_tls: Protection

    @property
    def complete(self) -> bool:
        """Whether every connection and every byte of it was recorded."""
        visits = self.host.visits
        return len(visits) < _VISITS and all(visit.tape.complete for visit in visits)


class Outside:
    """An asynchronous context manager; ``mx_port``, ``dns_port`` and ``https_port`` are known inside it."""

    def __init__(self, folder: Path, traps: Sequence[Trap], connectors: Sequence[Connector]) -> None:
        self.traps = tuple(traps)
        self.connectors = tuple(connectors)
        cast = tuple(_specs(self.traps)) + tuple(one.spec for one in self.connectors)
        self.world = World(
            WorldOptions(directory=folder, cast=cast, extras=Zone(records={}), tape_limit=_TAPE, visits=_VISITS)
        )
        self.https_port = 0
        names = tuple(policy_name(trap.domain) for trap in self.traps if trap.sts is not None)
        certificate = self.world.credentials.issue("policies.pem", names or (_POLICIES,))
        self._policies = PolicyHost({}, certificate)
        self._stack = AsyncExitStack()

    @property
    def ca(self) -> Path:
        """The one authority of this world."""
        return self.world.credentials.ca

    @property
    def mx_port(self) -> int:
        """Of all mail hosts."""
        return self.world.mx_port

    @property
    def dns_port(self) -> int:
        """Of the name server."""
        return self.world.dns_port

    @property
    def watched(self) -> Iterator[Watched]:
        """Every host that mail could arrive at."""
        hosts = self.world.hosts
        for trap in self.traps:
            yield Watched(hosts[trap.host], trap.done, Protection.NONE, trap.inside)
        for one in self.connectors:
            yield Watched(hosts[one.spec.name], f"the host of route {one.route.name}", one.in_clear, one.in_tls)

    async def __aenter__(self) -> Self:
        """Opens all ports. Raises PortTaken, OSError; then none is open."""
        async with AsyncExitStack() as stack:
            sock = bind("the policy host", Place(socket.SOCK_STREAM, _POLICIES), 0)
            stack.callback(sock.close)
            self.https_port = port_of(sock)
            await stack.enter_async_context(self.world)
            await stack.enter_async_context(alongside(self._policies.serve(sock)))
            self.before()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Cuts all connections off and closes all ports."""
        await self._stack.aclose()

    def before(self) -> None:
        """The world before anything was done to it, in which policies are found that are kept."""
        self._policies.policies = {trap.domain: trap.sts.kept for trap in self.traps if trap.sts and trap.sts.kept}
        self.world.dns.zone = Zone(records={**self.world.dns.zone.records, **dict(self._texts("before"))})

    def after(self) -> None:
        """Does what the traps are for."""
        self._policies.policies = {trap.domain: trap.sts.served for trap in self.traps if trap.sts and trap.sts.served}
        records = {**self.world.dns.zone.records, **dict(self._texts("after")), **dict(self._tlsa())}
        self.world.dns.zone = Zone(
            records=records,
            troubles=dict(self._troubles()),
            signed=frozenset(trap.domain for trap in self.traps if trap.needs_dane),
        )

    def _texts(self, id: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        for trap in self.traps:
            if trap.sts is not None:
                yield f"_mta-sts.{trap.domain}", (f'TXT "v=STSv1; id={id};"',)
                yield policy_name(trap.domain), (f"A {_POLICIES}",)

    def _tlsa(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for trap in self.traps:
            if trap.tlsa in (TlsaIs.MATCHING, TlsaIs.OTHER):
                key = self.world.credentials.key_of(trap.host) if trap.tlsa is TlsaIs.MATCHING else "00" * 32
                yield self._tlsa_name(trap), (f"TLSA 3 1 1 {key}",)

    def _troubles(self) -> Iterator[tuple[str, Trouble]]:
        for trap in self.traps:
            if trap.lookup is not None:
                yield trap.domain, trap.lookup
            if trap.tlsa is TlsaIs.SERVFAIL:
                yield self._tlsa_name(trap), Trouble.SERVFAIL
            if trap.sts is not None and not trap.sts.announced:
                yield f"_mta-sts.{trap.domain}", Trouble.SILENCE

    def _tlsa_name(self, trap: Trap) -> str:
        return f"_{self.mx_port}._tcp.{trap.host}"


def _specs(traps: Sequence[Trap]) -> Iterator[HostSpec]:
    for number, trap in enumerate(traps, start=1):
        yield HostSpec(name=trap.host, address=f"{_NETWORK}{number}", domains=(trap.domain,), behaviour=trap.behaviour)
