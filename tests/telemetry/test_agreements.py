import math
from datetime import date

import pytest
from prometheus_client import CollectorRegistry

from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Agreement, Partner
from gateway.telemetry import agreements
from gateway.telemetry.agreements import AgreementDays

TODAY = date(2026, 11, 22)


def partner(name: str, expires: date | None, agreement: Agreement | None = Agreement.ISA) -> Partner:
    return Partner(name=name, agreement=agreement, expires=expires)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    [metric] = registry.collect()
    assert metric.name == "sealpost_agreement_expiry_days"
    return {sample.labels["partner"]: sample.value for sample in metric.samples}


def test_days_until_an_agreement_ends_are_negative_behind_it() -> None:
    registry = CollectorRegistry()
    found = directory(
        [
            ("a.example", soon := partner("soon", date(2026, 11, 25))),
            ("*.a.example", soon),
            ("x@b.example", partner("over", date(2026, 11, 20))),
            ("c.example", partner("endless", None)),
            ("d.example", partner("none", TODAY, None)),
        ]
    )
    gauge = AgreementDays(registry)
    gauge.show(found, TODAY)
    assert shown(registry) == {"soon": 3, "over": -2}
    gauge.show(found, date(2026, 11, 24))
    assert shown(registry) == {"soon": 1, "over": -4}


def test_the_same_day_and_register_are_not_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = directory([("a.example", partner("a", TODAY))])
    gauge = AgreementDays(CollectorRegistry())
    gauge.show(found, TODAY)
    monkeypatch.setattr(agreements, "_soonest", lambda *_: pytest.fail("counted again"))
    gauge.show(found, TODAY)


def test_a_partner_that_went_raises_no_alert() -> None:
    registry = CollectorRegistry()
    gauge = AgreementDays(registry)
    gauge.show(directory([("a.example", partner("a", TODAY)), ("b.example", partner("b", TODAY))]), TODAY)
    gauge.show(directory([("b.example", partner("b", TODAY))]), TODAY)
    values = shown(registry)
    assert values["b"] == 0
    assert math.isnan(values["a"])
    gauge.show(directory([("a.example", partner("a", TODAY))]), TODAY)
    assert shown(registry)["a"] == 0


def test_those_that_end_soonest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreements, "MOST", 2)
    registry = CollectorRegistry()
    days = {"late": 30, "first": 20, "second": 25}
    found = directory([(f"{name}.example", partner(name, date(2026, 11, day))) for name, day in days.items()])
    AgreementDays(registry).show(found, TODAY)
    assert shown(registry) == {"first": -2, "second": 3}
