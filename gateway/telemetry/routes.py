"""Whether the hosts of our routes can be used, as a gauge; routes come from the configuration and are bounded."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge


class RouteGauges:
    """Every worker shows the same; the newest is right."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge(
            "sealpost_route_up",
            "1 if the route's host could be used when it was last looked at, 0 if not.",
            ["route"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._known: frozenset[str] = frozenset()

    def show(self, found: Mapping[str, bool]) -> None:
        """Sets all of them; one of which nothing is known any more has no number, and raises no alert."""
        for gone in self._known - found.keys():
            self._up.labels(gone).set(math.nan)
        for route, good in found.items():
            self._up.labels(route).set(good)
        self._known |= found.keys()
