"""The installed configuration with only the outside replaced: what leads out of it leads to the self-test's world.

Policy, routes, levels, pins and wishes stay as they are. Times are cut, so that retries, next routes and reports all
happen while one watches.
"""

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from gateway.config.load import Loaded
from gateway.core.route import Route
from gateway.flow.options import QueueOptions
from gateway.net.destination import MxOptions
from gateway.net.dns import DnsOptions
from gateway.selftest.connectors import rerouted
from gateway.selftest.outside import Outside

_LOOPBACK: Final = IPv4Network("127.0.0.0/8")
_ROUTE: Final = timedelta(seconds=5)
_LOOKUP: Final = timedelta(seconds=2)

MAX_AGE: Final = timedelta(seconds=12)
"""The end of every message."""


def installed_in(outside: Outside, loaded: Loaded, spool: Path) -> Loaded:
    """The configuration for this world; its listeners, desk and reports to others are not used."""
    settings = loaded.settings
    routes = {name: _hurried(route) for name, route in settings.routes.items()}
    settings = replace(
        settings,
        dns=DnsOptions(nameservers=(f"127.0.0.1:{outside.dns_port}",), trust_ad=settings.dns.trust_ad, timeout=_LOOKUP),
        tls_ca=outside.ca,
        mx=MxOptions(port=outside.mx_port, allow_networks=(_LOOPBACK,)),
        spool_dir=spool,
        queue=_queue(settings.queue),
        routes=routes,
        transport_options=rerouted(settings, outside.connectors, outside.mx_port),
        internal_networks=(*settings.internal_networks, _LOOPBACK),
        tlsrpt=None,
    )
    return replace(loaded, settings=settings, policy=replace(loaded.policy, routes=routes))


def _hurried(route: Route) -> Route:
    return route if route.give_up_after is None else replace(route, give_up_after=min(route.give_up_after, _ROUTE))


def _queue(queue: QueueOptions) -> QueueOptions:
    return replace(
        queue,
        max_age=MAX_AGE,
        hold_max=MAX_AGE,
        retry_min=timedelta(seconds=2),
        retry_max=timedelta(seconds=4),
    )
