"""The metrics of a worker, declared in one place (Prometheus naming: base units, `_total` for counters).

Label values come from the configuration or from closed sets, never from a message, so their number is bounded;
`initialise` sets every set that the configuration names to 0, because a counter that appears with its first event
hides that event from `rate()`. The supervisor's own metrics are in `telemetry.processes`.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise, product
from typing import Final, assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.core.facts import LabelResult
from gateway.core.grade import Grade
from gateway.core.modes import Mode
from gateway.core.outcome import Alarm, Cause, Proof
from gateway.core.override import OverrideResult
from gateway.core.policy import GoOn, Hold, Policy, Reject, Rule, Send
from gateway.core.record import Kind, State
from gateway.core.route import Route
from gateway.core.tls import Starttls
from gateway.telemetry.agreements import AgreementDays
from gateway.telemetry.dnssec import DnssecState
from gateway.telemetry.routes import RouteGauges
from gateway.telemetry.surveys import SurveyGauges

ROUTE: Final = "route"
REJECT: Final = "reject"
HOLD: Final = "hold"
REMARK: Final = "remark"
OPEN: Final = "open"
DELIVERED: Final = "delivered"
SEALED: Final = "sealed"
DEFERRED: Final = "deferred"
DECLINED: Final = "declined"
FAILED: Final = "failed"
NO_TLS: Final = "none"
"""The version of a connection without TLS; its grade is the lowest one."""
TLS: Final = (
    (NO_TLS, Grade.PLAIN),
    *((version, grade) for version in ("TLSv1.2", "TLSv1.3") for grade in Grade if grade is not Grade.PLAIN),
)
"""What a connection may have been, by version and grade."""
ALERTS: Final = (
    "copy-missed",
    "dane-off",
    "hold-untold",
    "lease-lost",
    "mode-active",
    "mode-ended",
    "password-untold",
    "policy-missing",
    "returned-unencrypted",
    "route-down",
    "route-missing",
    "route-too-weak",
    "set-aside",
    "shard-unusable",
    "tls-partner",
    "tls-report-unsent",
    *Alarm,
)
"""Every name that the gateway alerts by."""
REFUSALS: Final = (421, 450, 451, 452, 454, 503, 530, 550, 552, 554)
"""The codes of refusals in the session that are told (`listeners.smtp_replies`)."""

# From a second to the five days of queue.max_age; protected mail may take its 48 hours.
_DELAYS: Final = (0.1, 0.5, 1, 5, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 48 * 3600, 120 * 3600)


class Metrics:
    """All that a worker counts. ``registry`` is private to a test, or the process's own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._declare_mail(registry)
        self._declare_trouble(registry)
        self._declare_queue(registry)
        self.agreements = AgreementDays(registry)
        self.dnssec = DnssecState(registry)
        self.surveyed = SurveyGauges(registry)
        self.routes = RouteGauges(registry)

    def _declare_mail(self, registry: CollectorRegistry) -> None:
        self.received = Counter("sealpost_received", "Messages accepted from clients.", ["listener"], registry=registry)
        self.received_bytes = Counter(
            "sealpost_received_bytes", "Bytes of the accepted messages.", ["listener"], registry=registry
        )
        self.own = Counter("sealpost_own_mail", "Messages of our own: reports, notices.", ["kind"], registry=registry)
        self.refused = Counter(
            "sealpost_refused", "Commands or messages refused in the session.", ["listener", "code"], registry=registry
        )
        self.labels = Counter(
            "sealpost_labels",
            "Labels found in accepted messages; result is level, no label or garbled.",
            ["source", "result"],
            registry=registry,
        )
        self.decisions = Counter(
            "sealpost_decisions",
            "Decisions, one per recipient; route is the first of the chain.",
            ["rule", "action", "route", "level"],
            registry=registry,
        )
        self.outcomes = Counter(
            "sealpost_outcomes",
            "Outcomes of attempts, one per recipient; cause is why it was deferred or declined.",
            ["route", "result", "cause"],
            registry=registry,
        )
        self.moved = Counter(
            "sealpost_moved", "Recipients that went to a later route.", ["from_route", "to_route"], registry=registry
        )
        self.ended = Counter("sealpost_ended", "Recipients that reached their end.", ["state"], registry=registry)
        self.overrides = Counter(
            "sealpost_overrides", "One-time tokens that senders tried, by result.", ["result"], registry=registry
        )
        self.seconds = Histogram(
            "sealpost_delivery_seconds", "From acceptance to delivery.", buckets=_DELAYS, registry=registry
        )
        self.tls = Counter(
            "sealpost_delivered_tls",
            "Deliveries by TLS version and grade; only from verified on the host's certificate was checked.",
            ["version", "grade"],
            registry=registry,
        )

    def _declare_trouble(self, registry: CollectorRegistry) -> None:
        self.unprotected = Counter(
            "sealpost_unprotected", "Deliveries below their decision's floor: an incident.", registry=registry
        )
        self.observed_unprotected = Counter(
            "sealpost_observed_unprotected",
            "Deliveries below what their rules ask for, while these are only observed.",
            registry=registry,
        )
        self.alerts = Counter("sealpost_alerts", "Conditions that a person must look at.", ["name"], registry=registry)
        self.broken = Counter("sealpost_broken", "Unexpected exceptions: faults of ours.", ["where"], registry=registry)
        self.probes = Counter(
            "sealpost_probes", "Connections that only asked for STARTTLS, by result.", ["result"], registry=registry
        )
        self.log_lines_lost = Counter(
            "sealpost_log_lines_lost", "Log lines that could not be written.", registry=registry
        )

    def _declare_queue(self, registry: CollectorRegistry) -> None:
        self.queue = Gauge(
            "sealpost_queue_recipients",
            "Recipients that wait, by state.",
            ["state"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.oldest = Gauge(
            "sealpost_queue_oldest_age_seconds",
            "Age of the oldest waiting recipient since acceptance, 0 when none waits.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.modes = Gauge(
            "sealpost_mode_active",
            "Roll-out modes in force, by the policy or by order.",
            ["mode"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.shards = Gauge(
            "sealpost_shards", "Shards that the workers serve.", registry=registry, multiprocess_mode="livesum"
        )

    def modes_in_force(self, counts: Mapping[Mode, int]) -> None:
        """How many roll-out modes hold now, by mode."""
        for mode, count in counts.items():
            self.modes.labels(mode.value).set(count)

    def tagging(self, listeners: int) -> None:
        """How many milters only tag what they would refuse."""
        self.modes.labels("tag").set(listeners)

    def initialise(self, policy: Policy, routes: Mapping[str, Route], listeners: Iterable[str]) -> None:
        """Sets every label set that the configuration names to 0; those that count already keep their values."""
        self._initialise_decisions(policy)
        for route in routes:
            for result, cause in _RESULTS:
                self.outcomes.labels(route, result, cause)
        for rule in policy.rules:
            for earlier, later in pairwise(labels_of(rule)[1]):
                self.moved.labels(earlier, later)
        for listener in listeners:
            self.received.labels(listener)
            self.received_bytes.labels(listener)
            for code in REFUSALS:
                self.refused.labels(listener, code)
        self._initialise_closed_sets()

    def _initialise_decisions(self, policy: Policy) -> None:
        for rule in policy.rules:
            if isinstance(rule.action, GoOn):
                continue  # It decides nothing.
            action, routes = labels_of(rule)
            for level, route in product(policy.reading.levels, routes or ("",)):
                self.decisions.labels(rule.name, action, route, level)
        for source, result in product(policy.reading.sources, LabelResult):
            self.labels.labels(source.origin, result.value)

    def _initialise_closed_sets(self) -> None:
        for state in State:
            (self.queue if state.waits else self.ended).labels(state.value)
        for kind in Kind:
            if kind is not Kind.RELAY:
                self.own.labels(kind.value)
        for result in OverrideResult:
            self.overrides.labels(result.value)
        for name in ALERTS:
            self.alerts.labels(name)
        for seen in Starttls:
            self.probes.labels(seen.value)
        for version, grade in TLS:
            self.tls.labels(version, grade.value)


_RESULTS: Final = (
    (DELIVERED, ""),
    (SEALED, ""),
    (FAILED, ""),
    *((DEFERRED, cause.value) for cause in Cause),
    *((DECLINED, proof.value) for proof in Proof),
)


def labels_of(rule: Rule) -> tuple[str, tuple[str, ...]]:
    """What a rule does, in the words of the ``action`` label, and by which routes."""
    match rule.action:
        case Send():
            return ROUTE, rule.action.chain
        case Reject():
            return REJECT, ()
        case Hold():
            return HOLD, ()
        case GoOn():
            return REMARK, ()
        case _:
            assert_never(rule.action)
