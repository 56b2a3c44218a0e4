"""Every label set that the configuration names is there before anything happened."""

import re
from itertools import product

import pytest
from prometheus_client import CollectorRegistry

from gateway.core.address import Address
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.subject import SubjectSource
from gateway.core.outcome import Alarm, Cause, Proof
from gateway.core.policy import Hold, Organisation, Policy, Reject, Rule, Send
from gateway.core.reading import Reading
from gateway.core.record import State
from gateway.core.route import Route
from gateway.core.template import Template
from gateway.core.tls import Channel, Protection
from gateway.telemetry.metrics import Metrics, labels_of

ROUTES = {
    "tls": Route(name="tls", transport="mx", demands=Channel.ENCRYPTED),
    "encrypted": Route(name="encrypted", transport="smarthost", demands=Channel.PKIX),
}


def policy() -> Policy:
    def rule(name: str, action: Send | Reject | Hold) -> Rule:
        return Rule(name=name, when=None, action=action, advice=Template(""))

    return Policy(
        organisation=Organisation(
            name="Council",
            domains=frozenset({"council.example"}),
            contact="Service Desk",
            postmaster=Address("postmaster", "council.example"),
        ),
        reading=Reading(
            levels=("public", "restricted"),
            default="public",
            sources=(HeaderSource("X-C", {"p": "public"}), SubjectSource({"[R]": "restricted"})),
        ),
        floors={"public": Protection.NONE, "restricted": Protection.ENCRYPTED},
        groups={},
        rules=(
            rule("Held", Hold()),
            rule("Given back", Reject()),
            rule("Everything", Send(("tls", "encrypted"))),
        ),
        routes=ROUTES,
        hash="00",
    )


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Metrics(registry).initialise(policy(), ROUTES, ["smtp", "devices"])
    return registry


def test_decisions_are_initialised_by_rule_action_route_and_level(registry: CollectorRegistry) -> None:
    for level in ("public", "restricted"):
        for rule, action, route in (
            ("Held", "hold", ""),
            ("Given back", "reject", ""),
            ("Everything", "route", "tls"),
            ("Everything", "route", "encrypted"),
        ):
            labels = {"rule": rule, "action": action, "route": route, "level": level}
            assert registry.get_sample_value("sealpost_decisions_total", labels) == 0


def test_labels_are_initialised_by_source_and_result(registry: CollectorRegistry) -> None:
    for source in ("header X-C", "subject"):
        for result in ("level", "no label", "garbled"):
            labels = {"source": source, "result": result}
            assert registry.get_sample_value("sealpost_labels_total", labels) == 0


def test_outcomes_are_initialised_by_route_result_and_cause(registry: CollectorRegistry) -> None:
    results = [("delivered", ""), ("failed", "")]
    results += [("deferred", cause.value) for cause in Cause] + [("declined", proof.value) for proof in Proof]
    for route in ROUTES:
        for result, cause in results:
            labels = {"route": route, "result": result, "cause": cause}
            assert registry.get_sample_value("sealpost_outcomes_total", labels) == 0
    assert registry.get_sample_value("sealpost_moved_total", {"from_route": "tls", "to_route": "encrypted"}) == 0


def test_ends_queue_listeners_and_tls_are_initialised(registry: CollectorRegistry) -> None:
    for state in State:
        name = "sealpost_queue_recipients" if state.waits else "sealpost_ended_total"
        assert registry.get_sample_value(name, {"state": state.value}) == 0
    for listener in ("smtp", "devices"):
        assert registry.get_sample_value("sealpost_received_total", {"listener": listener}) == 0
    grades = ("encrypted", "verified", "pinned", "mta-sts", "dane")
    for version, grade in (("none", "plain"), *product(("TLSv1.2", "TLSv1.3"), grades)):
        labels = {"version": version, "grade": grade}
        assert registry.get_sample_value("sealpost_delivered_tls_total", labels) == 0
    assert registry.get_sample_value("sealpost_delivered_tls_total", {"version": "TLSv1.3", "grade": "plain"}) is None
    for seen in ("yes", "no", "unknown"):
        assert registry.get_sample_value("sealpost_probes_total", {"result": seen}) == 0
    assert registry.get_sample_value("sealpost_unprotected_total") == 0


@pytest.mark.parametrize("name", [*Alarm, "tls-lost", "starttls-stripped", "hold-untold", "route-too-weak"])
def test_every_alert_is_initialised(registry: CollectorRegistry, name: str) -> None:
    assert registry.get_sample_value("sealpost_alerts_total", {"name": name}) == 0


def test_initialising_again_keeps_what_was_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.received.labels("smtp").inc(7)
    metrics.initialise(policy(), ROUTES, ["smtp"])
    assert registry.get_sample_value("sealpost_received_total", {"listener": "smtp"}) == 7


def test_names_follow_the_naming_rules_and_say_what_they_are(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        assert re.fullmatch(r"sealpost_[a-z_]+", family.name)
        assert family.documentation.endswith(".")


def test_a_rule_names_its_action_and_its_routes() -> None:
    assert [labels_of(rule) for rule in policy().rules] == [
        ("hold", ()),
        ("reject", ()),
        ("route", ("tls", "encrypted")),
    ]
