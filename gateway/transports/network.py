"""What all transports share of the outside: names, sessions, TLS and the stored bodies. Built once per worker.

Nothing of a single route is in here.
"""

from dataclasses import dataclass, field

from gateway.flow.ports import Bodies, Clock
from gateway.net.destination import Destinations, IpNetwork, MxOptions
from gateway.net.dial import Dialler
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.memory import TlsMemory
from gateway.net.pool import Pool, PoolLimits
from gateway.net.timeouts import Timeouts
from gateway.net.tls import Authorities, TlsContexts


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The settings of the machine that transports need: ``hostname``, ``[dns]``, ``[tls]``, ``[mx]``, ``[network]``.

    ``internal`` are the organisation's own networks.
    """

    hostname: str
    dns: DnsOptions = field(default_factory=DnsOptions)
    ca: Authorities = "system"
    mx: MxOptions = field(default_factory=MxOptions)
    internal: tuple[IpNetwork, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    pool: PoolLimits = field(default_factory=PoolLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The parts, put together by `build_network`."""

    options: NetworkOptions
    resolver: Resolver
    destinations: Destinations
    dialler: Dialler
    pool: Pool
    bodies: Bodies


def build_network(options: NetworkOptions, *, bodies: Bodies, clock: Clock) -> Network:
    """Puts the parts together; reads the certificate authorities. Raises ValueError when they cannot be loaded."""
    resolver = Resolver(options.dns, clock)
    return Network(
        options=options,
        resolver=resolver,
        destinations=Destinations(resolver, options.mx, options.hostname),
        dialler=Dialler(
            hostname=options.hostname,
            contexts=TlsContexts(options.ca),
            memory=TlsMemory(clock),
            timeouts=options.timeouts,
        ),
        pool=Pool(options.pool),
        bodies=bodies,
    )
