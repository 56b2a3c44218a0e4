"""The routes of one configuration, each with the transport that carries it.

Left out on purpose: building and closing transports, and replacing them on reload, which is the composition root's: a
reload starts a new dispatcher beside the old one, and a delivery keeps the carrier that it began with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.route import Route
from gateway.flow.ports import Transport


@dataclass(frozen=True, slots=True)
class Carrier:
    """A route and what carries it."""

    route: Route
    transport: Transport


@dataclass(frozen=True, slots=True)
class Carriers:
    """By route name. It is the planner's `Ways`."""

    table: Mapping[str, Carrier]

    def get(self, name: str) -> Carrier | None:
        """The carrier, or None for a route that does not exist (any more)."""
        return self.table.get(name)

    def route(self, name: str) -> Route | None:
        """The route, or None likewise."""
        carrier = self.table.get(name)
        return carrier.route if carrier is not None else None

    def next_hop(self, name: str, domain: str) -> str:
        """``<route>:<domain or host>``; a route without carrier has no host of its own."""
        carrier = self.table.get(name)
        return f"{name}:{carrier.transport.next_hop(domain) if carrier is not None else domain}"
