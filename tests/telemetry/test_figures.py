"""What the screen shows of the metrics."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.telemetry.figures import Count, PartnerTls, RouteCount, RuleCount, read_figures


def test_samples_of_all_processes_are_added_up_and_what_never_happened_is_left_out() -> None:
    registry = CollectorRegistry()
    ended = Counter("sealpost_ended", "", ["state"], registry=registry)
    ended.labels("delivered").inc(7)
    ended.labels("reported").inc(9)
    ended.labels("sealed")
    decisions = Counter("sealpost_decisions", "", ["rule", "action", "route", "level"], registry=registry)
    decisions.labels("Files", "reject", "", "public").inc(2)
    decisions.labels("Files", "reject", "", "restricted").inc(3)
    Counter("sealpost_outcomes", "", ["route", "result", "cause"], registry=registry).labels(
        "tls", "deferred", "dns"
    ).inc()
    Counter("sealpost_unprotected", "", registry=registry).inc(4)
    Gauge("sealpost_mode_active", "", ["mode"], registry=registry).labels("observe").set(1)
    Gauge("sealpost_reload_last_successful", "", registry=registry).set(0)
    grade = Gauge("sealpost_partner_tls_grade", "", ["partner", "domain"], registry=registry)
    days = Gauge("sealpost_partner_certificate_days", "", ["partner", "domain"], registry=registry)
    for domain, value, left in (("b.example", 2, 90), ("a.example", 2, 5), ("c.example", math.nan, math.nan)):
        grade.labels("P", domain).set(value)
        days.labels("P", domain).set(left)
    found = read_figures(registry.collect())
    assert found.ended == (Count("reported", 9), Count("delivered", 7))
    assert found.rules == (RuleCount("Files", "reject", 5),)
    assert found.routes == (RouteCount("tls", "deferred", "dns", 1),)
    assert (found.received, found.unprotected, found.modes, found.reload_good) == (0, 4, ("observe",), False)
    assert found.reload_at is None
    # What is not known comes first, then what is weak, then what ends soon.
    assert found.partners == (
        PartnerTls("P", "c.example", None, None),
        PartnerTls("P", "a.example", 2, 5),
        PartnerTls("P", "b.example", 2, 90),
    )
