"""From a loaded configuration to the parts that work with it; the only place that knows every implementation.

Nothing here runs. Files (certificates) are read, so a configuration that cannot work shows before it replaces one
that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.app.outside import network_options
from gateway.app.prober import counting
from gateway.app.vault import Vault
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, policy_from
from gateway.config.settings import Settings
from gateway.flow.carriers import Carrier, Carriers
from gateway.flow.dispatch import Dispatch
from gateway.flow.history import History
from gateway.flow.lookups import AllLookups
from gateway.flow.modes import Modes
from gateway.flow.options import QueueOptions, SystemOptions
from gateway.flow.policies import Edition, PolicyBook
from gateway.flow.ports import Clock, Ids, Jitter, Lookups, Signer, Spool, StateStore, Transport
from gateway.flow.repeats import Audit, no_audit
from gateway.flow.shared import Shared
from gateway.flow.tls_counts import NoSessions, TlsCounts
from gateway.flow.traffic import Traffic
from gateway.net.memory import TlsMemory
from gateway.net.probe import StarttlsProbe
from gateway.signing.dkim import Dkim
from gateway.telemetry.events import Telemetry
from gateway.telemetry.metrics import Metrics
from gateway.transports import TRANSPORTS
from gateway.transports.network import FOLDER, Network, SealingTools, build_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a worker has for life, whatever is configured. ``slots`` is the number of workers that share the limits."""

    clock: Clock
    ids: Ids
    jitter: Jitter
    events: Telemetry
    metrics: Metrics
    state: StateStore
    memory: TlsMemory
    counts: TlsCounts
    vault: Vault
    slots: int
    audit: Audit = no_audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one configuration makes, for all spools of the worker."""

    settings: Settings
    tools: Tools
    book: PolicyBook
    network: Network
    signer: Signer
    lookups: Lookups
    history: History
    modes: Modes
    traffic: Traffic
    queue: QueueOptions
    system: SystemOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What works one spool: the transports read bodies from it, the dispatcher claims from it."""

    transports: tuple[Transport, ...]
    shared: Shared
    dispatch: Dispatch


def make_parts(loaded: Loaded, bundle: Bundle, tools: Tools, spool: Spool) -> Parts:
    """Raises ValueError for certificates or authorities that cannot be loaded."""
    settings = loaded.settings
    signer = Dkim(settings.dkim, tools.clock)
    network = build_network(
        network_options(settings),
        bodies=spool.bodies,
        clock=tools.clock,
        state=tools.state,
        sessions=tools.counts if settings.tlsrpt is not None else NoSessions(),
        sealing=SealingTools(
            clock=tools.clock,
            signer=signer,
            broken=tools.events.broken,
            folder=settings.spool_dir / FOLDER,
            store=tools.vault.store,
            portal=settings.portal,
        ),
        # What hosts have shown outlives a reload: a host that had TLS a moment ago is guarded now.
        memory=tools.memory,
    )
    queue = share(settings.queue, tools.slots)
    tools.metrics.initialise(loaded.policy, settings.routes, settings.listeners)
    book = PolicyBook(Edition(loaded.policy, bundle.policy_text), lambda text: policy_from(text, settings))
    history = History(tools.state, tools.clock, settings.hop_key, tools.events)
    return Parts(
        settings=settings,
        tools=tools,
        book=book,
        network=network,
        signer=signer,
        lookups=_lookups(network, settings, tools, history),
        history=history,
        modes=Modes(tools.state, tools.clock, book, tools.events, tools.metrics.modes_in_force),
        traffic=Traffic(queue),
        queue=queue,
        system=_system_options(settings),
    )


def _system_options(settings: Settings) -> SystemOptions:
    return SystemOptions(
        hostname=settings.hostname,
        routes=settings.system,
        hop_key=settings.hop_key,
        desk_url=settings.desk.url if settings.desk is not None else "",
        returned=settings.returned,
    )


def _lookups(network: Network, settings: Settings, tools: Tools, history: History) -> Lookups:
    prober = counting(network.dialler, tools.metrics.probes)
    probe = StarttlsProbe(destinations=network.destinations, dialler=prober, port=settings.mx.port)
    return AllLookups(starttls=probe.look_up, known=history.known, resent=history.refused, events=tools.events)


def share(queue: QueueOptions, slots: int) -> QueueOptions:
    """A worker's part of the limits that count for the machine; at least one of each."""
    return replace(
        queue, per_destination=max(1, queue.per_destination // slots), in_flight=max(1, queue.in_flight // slots)
    )


def make_line(parts: Parts, spool: Spool) -> Line:
    """Raises ValueError for a route whose certificate cannot be loaded."""
    tools = parts.tools
    carriers = _carriers(parts, spool)
    shared = Shared(
        book=parts.book,
        carriers=Carriers(carriers),
        lookups=parts.lookups,
        history=parts.history,
        rollouts=parts.modes.current,
        audit=tools.audit,
        state=tools.state,
        system=parts.system,
        queue=parts.queue,
        clock=tools.clock,
        ids=tools.ids,
        jitter=tools.jitter,
        events=tools.events,
        signer=parts.signer,
        sealed=tools.vault.store,
        portal=parts.settings.portal,
    )
    return Line(
        transports=tuple(carrier.transport for carrier in carriers.values()),
        shared=shared,
        dispatch=Dispatch(spool, shared, parts.traffic),
    )


def _carriers(parts: Parts, spool: Spool) -> Mapping[str, Carrier]:
    network, settings = replace(parts.network, bodies=spool.bodies), parts.settings
    carriers: dict[str, Carrier] = {}
    for name, route in settings.routes.items():
        transport = TRANSPORTS[route.transport](route, settings.transport_options[name], network)
        carriers[name] = Carrier(route, transport)
    return carriers
