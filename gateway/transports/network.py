"""What all transports share of the outside: names, sessions, TLS and the stored bodies. Built once per worker.

Nothing of a single route is in here.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.core.demand import RequireTls
from gateway.core.pin import NO_PINS, Pins
from gateway.flow.options import PortalOptions
from gateway.flow.ports import Bodies, Clock, SealedStore, Signer, StateStore, TlsSessions
from gateway.flow.signature import Broken
from gateway.flow.unsigned import NoSigner
from gateway.net.dane import Dane
from gateway.net.destination import Destinations, IpNetwork, MxOptions
from gateway.net.dial import Dialler
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.memory import REMEMBER, TlsMemory
from gateway.net.mta_sts import Sts
from gateway.net.pool import Pool, PoolLimits
from gateway.net.remote import Remote
from gateway.net.sts_fetch import HttpsFetch
from gateway.net.timeouts import Timeouts
from gateway.net.tls import Authorities, TlsContexts, certificate_for
from gateway.transports.counting import fetches_of

FOLDER: Final = "wrapped"
"""Beside the shards, in the folder of the spool: where wrapped messages lie while they are carried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The settings of the machine that transports need: ``hostname``, ``[dns]``, ``[tls]``, ``[mx]``, ``[network]``.

    ``internal`` are the organisation's own networks. ``remember`` is how long a host's TLS is expected again.
    """

    hostname: str
    dns: DnsOptions = field(default_factory=DnsOptions)
    ca: Authorities = "system"
    mx: MxOptions = field(default_factory=MxOptions)
    internal: tuple[IpNetwork, ...] = ()
    pins: Pins = NO_PINS
    require_tls: RequireTls = RequireTls.STARTTLS
    remember: timedelta = REMEMBER
    timeouts: Timeouts = field(default_factory=Timeouts)
    pool: PoolLimits = field(default_factory=PoolLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingTools:
    """What transports need that seal by themselves. ``folder`` is where a wrapped message lies while it is carried.

    ``broken`` hears of a fault of ours. ``store`` and ``portal`` are None where there is no ``[portal]``.
    """

    clock: Clock
    signer: Signer
    broken: Broken
    folder: Path
    store: SealedStore | None = None
    portal: PortalOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The parts, put together by `build_network`."""

    options: NetworkOptions
    resolver: Resolver
    destinations: Destinations
    sts: Sts
    fetch: HttpsFetch
    remote: Remote
    dialler: Dialler
    pool: Pool
    bodies: Bodies
    sessions: TlsSessions
    sealing: SealingTools

    async def aclose(self) -> None:
        """Ends what is kept open for later."""
        await self.pool.aclose()
        await self.fetch.aclose()


def no_sealing(clock: Clock) -> SealingTools:
    """For a network that carries no mail."""
    return SealingTools(clock=clock, signer=NoSigner(), broken=_unheard, folder=Path(FOLDER))


def _unheard(*_: object) -> None:
    """Nothing is sealed, so nothing can break."""


def build_network(
    options: NetworkOptions,
    *,
    bodies: Bodies,
    clock: Clock,
    state: StateStore,
    sessions: TlsSessions,
    sealing: SealingTools,
    memory: TlsMemory | None = None,
) -> Network:
    """Puts the parts together; ``memory`` is that of an earlier network, if there was one.

    Reads authorities and pinned partners' certificates. Raises ValueError for bad ones.
    """
    resolver = Resolver(options.dns, clock)
    fetch = HttpsFetch(resolver, options.ca, options.mx.allow_networks)
    sts = Sts(resolver, fetch, state, clock, fetches_of(sessions))
    return Network(
        options=options,
        resolver=resolver,
        destinations=Destinations(resolver, options.mx, options.hostname),
        sts=sts,
        fetch=fetch,
        remote=Remote(Dane(resolver, options.mx.port), sts),
        dialler=Dialler(
            hostname=options.hostname,
            contexts=_contexts(options),
            memory=memory or TlsMemory(clock, state, options.remember),
            timeouts=options.timeouts,
            clock=clock,
        ),
        pool=Pool(options.pool),
        bodies=bodies,
        sessions=sessions,
        sealing=sealing,
    )


def _contexts(options: NetworkOptions) -> TlsContexts:
    contexts = TlsContexts(options.ca)
    for pin in options.pins.all:
        own = certificate_for(pin)
        contexts.prepare(own)
        contexts.prepare(own, pin.authorities)
    return contexts
