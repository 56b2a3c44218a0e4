import math

from prometheus_client import CollectorRegistry

from gateway.telemetry.routes import RouteGauges


def shown(registry: CollectorRegistry, route: str) -> float | None:
    return registry.get_sample_value("sealpost_route_up", {"route": route})


def test_each_route_with_a_host_is_up_or_down_and_one_that_went_has_no_number() -> None:
    registry = CollectorRegistry()
    gauges = RouteGauges(registry)
    gauges.show({"cjsm": True, "egress": False})
    assert (shown(registry, "cjsm"), shown(registry, "egress")) == (1, 0)
    gauges.show({"egress": True})
    gone = shown(registry, "cjsm")
    assert gone is not None and math.isnan(gone) and shown(registry, "egress") == 1
