"""A small world to deliver to: a name server, mail hosts on loopback addresses of their own, and our network."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from random import randrange

from gateway.core.address import parse_address
from gateway.core.check import Check
from gateway.core.dane import NoTlsa, TlsaFacts
from gateway.core.demand import Demand
from gateway.core.envelope import BodyType, Recipient, Ret
from gateway.core.record import BodyRef, QueueId
from gateway.core.route import Declared, Route
from gateway.core.sts import NoSts, StsFacts
from gateway.core.tls import Channel, MxAuth, Protection, Requirement
from gateway.core.tlsrpt import Applied, PolicyType, SessionSeen
from gateway.flow.ports import BodyWriter, Delivery, SpoolError, Target, TlsSessions
from gateway.flow.tls_counts import NoSessions
from gateway.flow.unsigned import NoSigner
from gateway.net.dane import Dane
from gateway.net.destination import MxOptions
from gateway.net.dns import DnsOptions
from gateway.net.mta_sts import Sts
from gateway.net.pool import PoolLimits
from gateway.net.remote import Remote
from gateway.net.terms import Terms
from gateway.net.timeouts import Timeouts
from gateway.transports.network import Network, NetworkOptions, SealingTools, build_network
from tests.fakes.certificates import write_authority
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import FakeDns
from tests.fakes.events import Heard
from tests.fakes.mx import FakeMx, Script
from tests.fakes.state import MemoryState

SHORT = timedelta(milliseconds=400)


def all_within(limit: timedelta) -> Timeouts:
    """The same limit for every step."""
    return Timeouts(
        connect=limit, greeting=limit, hello=limit, starttls=limit, handshake=limit, login=limit, mail=limit,
        rcpt=limit, data=limit, block=limit, dot=limit,
    )  # fmt: skip


HEADER = b"From: anna@council.example\r\nSubject: x\r\n\r\n"
BODY = b"Hello\r\n.dot\r\n..\r\nend\r\n"


class StoredBodies:
    """Bodies by their path, given out in blocks; ``fails_after`` breaks the store behind that many blocks."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.block = 64 * 1024
        self.fails_after: int | None = None
        self.given: list[int] = []

    def writer(self) -> BodyWriter:
        raise NotImplementedError

    async def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        data = ref.inline if ref.inline is not None else self.bodies[ref.path or ""]
        for number, start in enumerate(range(offset, len(data), self.block)):
            if number == self.fails_after:
                raise SpoolError("the disk is gone")
            block = data[start : start + self.block]
            self.given.append(len(block))
            yield block


class KnownTlsa(Dane):
    """Says of each host what the test wants, and remembers who was asked about."""

    def __init__(self) -> None:
        self.hosts: dict[str, TlsaFacts] = {}
        self.asked: list[str] = []

    async def facts(self, host: str) -> TlsaFacts:
        self.asked.append(host)
        return self.hosts.get(host, NoTlsa.OFF)


class KnownSts(Sts):
    """Says of each domain what the test wants, and remembers who was asked about."""

    def __init__(self) -> None:
        self.domains: dict[str, StsFacts] = {}
        self.asked: list[str] = []

    async def facts(self, domain: str) -> StsFacts:
        self.asked.append(domain)
        return self.domains.get(domain, NoSts.NONE)


class HeardSessions(TlsSessions):
    """Remembers every TLS session that was counted."""

    def __init__(self) -> None:
        self.seen: list[SessionSeen] = []

    def note(self, seen: SessionSeen) -> None:
        self.seen.append(seen)


@dataclass
class World:
    """Hosts by name; ``network`` reaches them all. ``tlsa`` and ``sts`` are what is published, ``counted`` TLSRPT's.

    ``heard`` has the faults of transports that seal.
    """

    network: Network
    dns: FakeDns
    clock: SteppedClock
    bodies: StoredBodies
    state: MemoryState
    tlsa: KnownTlsa
    sts: KnownSts
    counted: HeardSessions
    heard: Heard
    hosts: dict[str, FakeMx] = field(default_factory=dict)

    def uncounted(self) -> Network:
        """The same network where nobody counts sessions."""
        return replace(self.network, sessions=NoSessions())


@asynccontextmanager
async def world(
    folder: Path,
    hosts: Mapping[str, Script | None],
    zones: Mapping[str, Mapping[str, list[str] | str]] | None = None,
    change: Callable[[NetworkOptions], NetworkOptions] = lambda options: options,
) -> AsyncGenerator[World]:
    """Host names with their scripts (None: nothing listens there). Each is also the MX of the domain ``<host>.test``.

    ``zones`` adds to the names; ``@host`` in a record is the host's address.
    """
    # Addresses of 127/8 at random, so that two runs on one machine never meet.
    net = f"127.{randrange(1, 250)}.{randrange(1, 250)}"
    addresses = dict(zip(hosts, (f"{net}.{number}" for number in count(1)), strict=False))
    table: dict[str, Mapping[str, list[str] | str]] = {}
    for host, address in addresses.items():
        table[host] = {"A": [address]}
        table[f"{host}.test"] = {"MX": [f"10 {host}."]}
    for name, records in (zones or {}).items():
        table[name] = {kind: _filled(record, addresses) for kind, record in records.items()}
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(FakeDns(table))
        running: dict[str, FakeMx] = {}
        port = 0
        for host, script in hosts.items():
            if script is not None:
                mx = await stack.enter_async_context(FakeMx(script, host=addresses[host], port=port))
                running[host], port = mx, mx.port
        options = NetworkOptions(
            hostname="gateway.council.example",
            dns=DnsOptions(nameservers=(dns.nameserver,), timeout=timedelta(seconds=1)),
            ca=write_authority(folder),
            mx=MxOptions(port=port or 1, allow_networks=(ip_network("127.0.0.0/8"),)),
            internal=(ip_network(f"{net}.0/24"),),
            # Where a host falls silent the test waits for it; elsewhere a busy machine must not be taken for silence.
            timeouts=all_within(SHORT if any(s and s.silent_at for s in hosts.values()) else 50 * SHORT),
            pool=PoolLimits(idle=timedelta(seconds=20)),
        )
        bodies = StoredBodies()
        # Certificates are judged by the time of day, as OpenSSL does.
        clock, counted = SteppedClock(datetime.now(UTC)), HeardSessions()
        state = MemoryState(clock)
        heard = Heard()
        sealing = SealingTools(clock=clock, signer=NoSigner(), broken=heard.broken, folder=folder / "wrapped")
        built = build_network(
            change(options), bodies=bodies, clock=clock, state=state, sessions=counted, sealing=sealing
        )
        tlsa, sts = KnownTlsa(), KnownSts()
        network = replace(built, remote=Remote(tlsa, sts))
        stack.push_async_callback(network.aclose)
        yield World(
            network=network, dns=dns, clock=clock, bodies=bodies, state=state, tlsa=tlsa, sts=sts, counted=counted,
            heard=heard, hosts=running,
        )  # fmt: skip


def _filled(records: list[str] | str, addresses: Mapping[str, str]) -> list[str] | str:
    if isinstance(records, str):
        return records
    return [addresses[record[1:]] if record.startswith("@") else record for record in records]


def a_route(
    demands: Channel = Channel.ENCRYPTED,
    *,
    declared: Declared = Declared.CONNECTION,
    name: str = "r",
    authentic: bool = False,
) -> Route:
    """A route with that TLS level."""
    return Route(name=name, transport="mx", demands=demands, declared=declared, authentic=authentic)


def a_check(host: str, channel: Channel) -> Check:
    """The usual check for that much of a host's certificate."""
    return Check(sni=host, names=(host,) if channel >= Channel.PKIX else ())


def terms_of(
    channel: Channel,
    *,
    host: str = "mx.example",
    check: Check | None = None,
    own: Channel | None = None,
    wanted: MxAuth = MxAuth.NONE,
    known: MxAuth = MxAuth.NONE,
    waited: timedelta | None = None,
    rehearsal: Check | None = None,
    offers_require_tls: bool = False,
) -> Terms:
    """Terms that demand that channel; all of it is our own, but for ``own``."""
    demand = Demand(
        requirement=Requirement(wanted, channel),
        own=Requirement(wanted, channel if own is None else own),
        mx=known,
        check=a_check(host, channel) if check is None else check,
        demanded_by="the test",
        applied=Applied(PolicyType.NONE, "example.test"),
        rehearsal=rehearsal,
        offers_require_tls=offers_require_tls,
    )
    return Terms(demand=demand, handshake_failed_for=waited)


def a_delivery(
    route: Route,
    destination: str,
    *,
    floor: Protection = Protection.NONE,
    recipients: tuple[str, ...] = ("bob",),
    header: bytes = HEADER,
    body: bytes | BodyRef = BODY,
    body_type: BodyType = BodyType.SEVEN_BIT,
    smtputf8: bool = False,
    waited: timedelta | None = None,
    ret: Ret | None = None,
    envid: str | None = None,
    require_tls: bool = False,
    tls_optional: bool = False,
    counted: bool = True,
) -> Delivery:
    """A delivery of a small message, its body stored inline behind four bytes that are not to be sent."""
    stored = body if isinstance(body, BodyRef) else BodyRef(size=len(body) + 4, sha256="", inline=b"OLD:" + body)
    domain = "example.test" if destination.startswith("[") else destination
    targets = tuple(
        Target(number=n, recipient=Recipient(address=parse_address(f"{r}@{domain}")), handshake_failed_for=waited)
        for n, r in enumerate(recipients, start=3)
    )
    return Delivery(
        delivery_id="d1",
        queue_id=QueueId("000-1"),
        route=route,
        floor=floor,
        destination=destination,
        reverse_path=parse_address("anna@council.example"),
        targets=targets,
        header=header,
        body=stored,
        body_offset=4,
        body_type=body_type,
        smtputf8=smtputf8,
        ret=ret,
        envid=envid,
        require_tls=require_tls,
        tls_optional=tls_optional,
        counted=counted,
    )
