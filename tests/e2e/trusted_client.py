"""The gateway's own transport by MX, with everything real behind it, for one message at a time."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network

from gateway.app.system import SystemClock
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Delivered, Outcome
from gateway.core.tls import Channel
from gateway.core.tlsrpt import SessionSeen
from gateway.flow.ports import StateStore
from gateway.net.destination import MxOptions
from gateway.net.dns import DnsOptions
from gateway.transports.mx import Mx
from gateway.transports.network import Network, NetworkOptions, build_network, no_sealing
from tests.e2e.trusted_hosts import MailHosts
from tests.fakes.mail_world import StoredBodies, a_delivery, a_route
from tests.fakes.state import MemoryState
from tests.peers.unbound import Unbound


@dataclass(slots=True)
class Seen:
    """Counts TLS sessions by keeping them."""

    sessions: list[SessionSeen] = field(default_factory=list)

    def note(self, seen: SessionSeen) -> None:
        self.sessions.append(seen)


@dataclass(frozen=True, slots=True)
class Sent:
    """``grade`` is that of the delivery, None for anything else."""

    token: str
    outcome: Outcome

    @property
    def grade(self) -> str | None:
        return grade_of_evidence(self.outcome.evidence) if isinstance(self.outcome, Delivered) else None


@dataclass(frozen=True, slots=True)
class Client:
    """Sends; ``seen`` is what was counted for TLSRPT."""

    network: Network
    seen: Seen

    async def send(self, domain: str, demands: Channel = Channel.PLAIN, *, keep: bool = False) -> Sent:
        """Hands a message with a token of its own over. Its session is ended unless it is to be kept."""
        token, route = secrets.token_hex(8), a_route(demands)
        header = b"From: anna@council.example\r\nX-Token: %s\r\n\r\n" % token.encode()
        delivery = replace(a_delivery(route, domain, header=header), counted=True)
        (outcome,) = (await Mx(route, Mx.Options(), self.network).deliver(delivery)).values()
        if not keep:
            await self.network.pool.aclose()
        return Sent(token, outcome)


@asynccontextmanager
async def client(
    hosts: MailHosts, resolver: Unbound, *, trust_ad: bool = True, state: StateStore | None = None
) -> AsyncGenerator[Client]:
    """Built as a worker builds it. Another one with the same ``state`` is what a restart leaves."""
    clock, seen = SystemClock(), Seen()
    options = NetworkOptions(
        hostname="gateway.council.example",
        dns=DnsOptions(nameservers=(resolver.nameserver,), trust_ad=trust_ad, timeout=timedelta(seconds=10)),
        ca=hosts.certificates.ca,
        mx=MxOptions(port=hosts.port, allow_networks=(ip_network("127.0.0.0/8"),)),
    )
    kept = state or MemoryState(clock)
    network = build_network(
        options, bodies=StoredBodies(), clock=clock, state=kept, sessions=seen, sealing=no_sealing(clock)
    )
    try:
        yield Client(network, seen)
    finally:
        await network.aclose()
