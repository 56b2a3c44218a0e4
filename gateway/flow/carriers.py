"""The routes in force, each with the transport that carries it; replaced as a whole on reload.

A delivery keeps the carrier that it began with. A transport that no longer occurs is closed when its last delivery has
ended. Left out on purpose: building transports, which is the composition root's.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.outcome import Outcome
from gateway.core.route import Route
from gateway.flow.ports import Delivery, Transport


@dataclass(frozen=True, slots=True)
class Carrier:
    """A route and what carries it."""

    route: Route
    transport: Transport


class Carriers:
    """By route name. It is the planner's `Ways`."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers = dict(carriers)
        self._deliveries: Counter[int] = Counter()
        self._ended = asyncio.Condition()

    def get(self, name: str) -> Carrier | None:
        """The carrier in force, or None for a route that does not exist (any more)."""
        return self._carriers.get(name)

    def route(self, name: str) -> Route | None:
        """The route in force."""
        carrier = self._carriers.get(name)
        return carrier.route if carrier is not None else None

    def next_hop(self, name: str, domain: str) -> str:
        """``<route>:<domain or host>``; a route without carrier has no host of its own."""
        carrier = self._carriers.get(name)
        return f"{name}:{carrier.transport.next_hop(domain) if carrier is not None else domain}"

    async def deliver(self, carrier: Carrier, delivery: Delivery) -> Mapping[int, Outcome]:
        """Delivers by a carrier that `get` gave, which stays open until then. Raises what the transport raises."""
        key = id(carrier.transport)
        self._deliveries[key] += 1
        try:
            return await carrier.transport.deliver(delivery)
        finally:
            self._deliveries[key] -= 1
            if not self._deliveries[key]:
                del self._deliveries[key]
                async with self._ended:
                    self._ended.notify_all()

    async def replace(self, carriers: Mapping[str, Carrier]) -> None:
        """Puts other carriers in force at once, then closes the transports that no longer occur, each once idle."""
        kept = {id(carrier.transport) for carrier in carriers.values()}
        gone = {id(c.transport): c.transport for c in self._carriers.values() if id(c.transport) not in kept}
        self._carriers = dict(carriers)
        for key, transport in gone.items():
            async with self._ended:
                await self._ended.wait_for(lambda key=key: key not in self._deliveries)
            await transport.aclose()

    async def aclose(self) -> None:
        """Closes every transport once idle; nothing can be delivered any more."""
        await self.replace({})
