"""What the metrics of all processes say at one moment, reduced to the figures of one screen.

Counts are since the gateway's metrics began, which is its start. Left out on purpose: histograms, which Grafana shows.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Metric

_TOTAL: Final = "_total"


@dataclass(frozen=True, slots=True)
class Count:
    """So many of one name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """So many recipients met the rule; ``action`` is what was done, as `sealpost_decisions_total` has it."""

    rule: str
    action: str
    count: int


@dataclass(frozen=True, slots=True)
class RouteCount:
    """So many attempts by the route came to this; ``cause`` is empty for a success."""

    route: str
    result: str
    cause: str
    count: int


@dataclass(frozen=True, slots=True)
class PartnerTls:
    """What the last survey found: the weakest ``grade`` (-1 no host, 0 plain … 5 DANE) and days to the first expiry.

    None for what could not be found out.
    """

    partner: str
    domain: str
    grade: int | None
    days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One moment. Lists are sorted, the most first; what never happened is left out of them."""

    received: int
    refused: int
    ended: tuple[Count, ...]
    rules: tuple[RuleCount, ...]
    routes: tuple[RouteCount, ...]
    unprotected: int
    observed_unprotected: int
    broken: int
    alerts: tuple[Count, ...]
    modes: tuple[str, ...]
    restarts: int
    reload_good: bool
    reload_at: datetime | None
    partners: tuple[PartnerTls, ...]


class _Samples:
    """All samples by name."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in families:
            for sample in family.samples:
                self._found.setdefault(sample.name, []).append((sample.labels, sample.value))

    def of(self, name: str) -> list[tuple[Mapping[str, str], float]]:
        return self._found.get(name, [])

    def total(self, name: str) -> int:
        return sum(int(value) for _, value in self.of(name + _TOTAL))

    def by(self, name: str, *labels: str) -> list[tuple[list[str], int]]:
        """Added up by those labels, the most first; nothing that is 0."""
        counted = Counter[tuple[str, ...]]()
        for known, value in self.of(name + _TOTAL):
            counted[tuple(known.get(label, "") for label in labels)] += int(value)
        return sorted((([*key], count) for key, count in counted.items() if count), key=lambda one: (-one[1], one[0]))

    def only(self, name: str) -> float | None:
        found = [value for _, value in self.of(name) if not math.isnan(value)]
        return found[0] if found else None


def read_figures(families: Iterable[Metric]) -> Figures:
    """The figures of what was collected."""
    samples = _Samples(families)
    reloaded = samples.only("sealpost_reload_last_success_timestamp_seconds")
    return Figures(
        received=samples.total("sealpost_received"),
        refused=samples.total("sealpost_refused"),
        ended=tuple(Count(state, count) for (state,), count in samples.by("sealpost_ended", "state")),
        rules=tuple(
            RuleCount(rule, action, count)
            for (rule, action), count in samples.by("sealpost_decisions", "rule", "action")
        ),
        routes=tuple(
            RouteCount(route, result, cause, count)
            for (route, result, cause), count in samples.by("sealpost_outcomes", "route", "result", "cause")
        ),
        unprotected=samples.total("sealpost_unprotected"),
        observed_unprotected=samples.total("sealpost_observed_unprotected"),
        broken=samples.total("sealpost_broken"),
        alerts=tuple(Count(name, count) for (name,), count in samples.by("sealpost_alerts", "name")),
        modes=tuple(sorted({known["mode"] for known, value in samples.of("sealpost_mode_active") if value > 0})),
        restarts=samples.total("sealpost_worker_restarts"),
        reload_good=samples.only("sealpost_reload_last_successful") == 1,
        reload_at=datetime.fromtimestamp(reloaded, UTC) if reloaded else None,
        partners=_partners(samples),
    )


def _partners(samples: _Samples) -> tuple[PartnerTls, ...]:
    """The worst first: what could not be found out, then by grade, then by what ends first."""
    days = {_key(known): value for known, value in samples.of("sealpost_partner_certificate_days")}
    found = [
        PartnerTls(*_key(known), _number(value), _finite(days.get(_key(known))))
        for known, value in samples.of("sealpost_partner_tls_grade")
    ]
    return tuple(sorted(found, key=lambda one: (_or(one.grade, -2), _or(one.days, math.inf), one.domain)))


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels["partner"], labels["domain"]


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _number(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
