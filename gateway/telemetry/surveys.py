"""What the nightly survey found of partners' mail hosts, as gauges; domains come from the register and are bounded."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from gateway.core.survey import DomainReport, Surveyed, rank

MOST: Final = 500
"""Domains shown; the register's first by name."""

_DAY: Final = timedelta(days=1)


class SurveyGauges:
    """Every worker shows the same; after a round the newest is right."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._grade = _gauge(
            registry,
            "sealpost_partner_tls_grade",
            "Weakest grade of a partner's mail hosts: 0 plain, 1 encrypted, 2 verified, 3 pinned, 4 MTA-STS, 5 DANE;"
            " -1 if no mail goes to any.",
            ["partner", "domain"],
        )
        self._days = _gauge(
            registry,
            "sealpost_partner_certificate_days",
            "Days until the first certificate of a partner's mail hosts ends, when they were last surveyed.",
            ["partner", "domain"],
        )
        self._at = _gauge(
            registry, "sealpost_partner_survey_timestamp_seconds", "When the last survey of the partners ended.", []
        )
        self._known: frozenset[tuple[str, str]] = frozenset()

    def show(self, found: Sequence[tuple[Surveyed, DomainReport]], at: datetime) -> None:
        """Sets all of them."""
        shown = {(each.partner, each.domain): report for each, report in found[:MOST]}
        # A sample of several processes cannot be taken back; one without a number raises no alert.
        for gone in self._known - shown.keys():
            self._grade.labels(*gone).set(math.nan)
            self._days.labels(*gone).set(math.nan)
        for labels, report in shown.items():
            self._grade.labels(*labels).set(_grade(report))
            self._days.labels(*labels).set(_days(report))
        self._known |= shown.keys()
        self._at.set(at.timestamp())


def _gauge(registry: CollectorRegistry, name: str, words: str, labels: list[str]) -> Gauge:
    return Gauge(name, words, labels, registry=registry, multiprocess_mode="livemostrecent")


def _grade(report: DomainReport) -> float:
    """No number for hosts none of which ever answered: that says nothing of their TLS."""
    return rank(report.grade) if any(host.reached for host in report.hosts) else math.nan


def _days(report: DomainReport) -> float:
    return math.nan if report.ends is None else (report.ends - report.at) // _DAY
