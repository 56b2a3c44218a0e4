"""Whether DANE is in use, and whether the resolver does what DANE rests on (RFC 7672 section 2.2).

A resolver that does not validate makes DANE apply nowhere without any other sign of it, so both are shown.
"""

from prometheus_client import CollectorRegistry, Gauge


class DnssecState:
    """Two gauges; each worker sets its own, and the least of them is shown."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._dane = Gauge(
            "sealpost_dane_enabled",
            "1 while DANE is in use, because a resolver is trusted to validate DNSSEC; 0 while it is off.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._validates = Gauge(
            "sealpost_resolver_validates",
            "1 if the resolver says that it validated a signed answer, 0 if it does not or has not answered yet.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def show(self, *, trusted: bool, validates: bool | None) -> None:
        """``trusted`` is the configuration's word. A probe without an answer (None) leaves what the last one said."""
        self._dane.set(trusted)
        if validates is not None:
            self._validates.set(validates)
