"""The form of a transport as the table holds it: a class with its `Options`, made from a route and the network.

What it does is `flow.ports.Transport`; nothing is implemented here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from gateway.core.outcome import Outcome
from gateway.core.route import Route
from gateway.flow.ports import Delivery
from gateway.transports.network import Network


class RouteTransport(ABC):
    """A `flow.ports.Transport` that the configuration can make.

    ``seals``: it protects the message itself, whatever carries that. ``stores``: it needs the store of sealed messages.
    ``connects``: its route has a level of TLS.
    """

    seals: ClassVar[bool] = False
    stores: ClassVar[bool] = False
    connects: ClassVar[bool] = True

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        """The settings of one route beyond those of `Route`; each transport's own class adds its fields.

        The configuration reads the fields' names and types. A value that cannot be raises ValueError with a sentence.
        """

    @abstractmethod
    def __init__(self, route: Route, options: object, network: Network) -> None:
        """Makes the transport of one route from its own `Options`; may read files.

        Raises:
            ValueError: settings that cannot work, such as a certificate that cannot be loaded.
        """

    @abstractmethod
    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """One outcome per target; see `flow.ports.Transport`."""

    @abstractmethod
    def next_hop(self, domain: str) -> str:
        """The destination part of a row's next hop."""

    @abstractmethod
    async def aclose(self) -> None:
        """Ends idle sessions."""
