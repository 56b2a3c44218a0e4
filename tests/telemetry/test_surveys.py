"""The gauges of the nightly survey."""

import math
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from gateway.core.grade import Grade
from gateway.core.survey import Surveyed
from gateway.telemetry import surveys
from gateway.telemetry.surveys import SurveyGauges
from tests.core.survey_samples import a_certificate, a_host, a_report, down

AT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
A = Surveyed(partner="Archive", domain="a.test")
B = Surveyed(partner="Health Trust", domain="b.test", demanded=Grade.VERIFIED)


def shown(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """The samples by domain."""
    samples = [sample for metric in registry.collect() if metric.name == name for sample in metric.samples]
    return {sample.labels.get("domain", ""): sample.value for sample in samples}


def test_grades_are_numbers_and_certificates_days() -> None:
    registry = CollectorRegistry()
    found = [
        (A, a_report(a_host(grade=Grade.MTA_STS), a_host(grade=Grade.DANE, certificate=a_certificate(12.5)))),
        (B, a_report(a_host(grade=None, certificate=a_certificate(-0.5)))),
    ]
    SurveyGauges(registry).show(found, AT)
    assert shown(registry, "sealpost_partner_tls_grade") == {"a.test": 4, "b.test": -1}
    assert shown(registry, "sealpost_partner_certificate_days") == {"a.test": 12, "b.test": -1}
    assert shown(registry, "sealpost_partner_survey_timestamp_seconds") == {"": AT.timestamp()}


def test_a_partner_that_never_answered_or_went_has_no_number() -> None:
    registry = CollectorRegistry()
    gauges = SurveyGauges(registry)
    gauges.show([(A, a_report(a_host())), (B, a_report(down()))], AT)
    assert shown(registry, "sealpost_partner_tls_grade")["a.test"] == 2
    assert math.isnan(shown(registry, "sealpost_partner_tls_grade")["b.test"])
    assert math.isnan(shown(registry, "sealpost_partner_certificate_days")["b.test"])
    gauges.show([(B, a_report(a_host()))], AT)
    assert math.isnan(shown(registry, "sealpost_partner_tls_grade")["a.test"])
    assert math.isnan(shown(registry, "sealpost_partner_certificate_days")["a.test"])
    assert shown(registry, "sealpost_partner_certificate_days")["b.test"] == 90


def test_the_number_of_series_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MOST", 1)
    registry = CollectorRegistry()
    SurveyGauges(registry).show([(A, a_report(a_host())), (B, a_report(a_host()))], AT)
    assert list(shown(registry, "sealpost_partner_tls_grade")) == ["a.test"]
