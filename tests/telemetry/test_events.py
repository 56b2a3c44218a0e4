"""Each fact of the flow is logged once and counted once, and nothing of a message's content gets out."""

import io
import json
from dataclasses import replace
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry

from gateway.core.decision import Decision, Held, Instead, Open, Refused, Routed
from gateway.core.effects import Effects, Notification, Point
from gateway.core.facts import Label, LabelResult
from gateway.core.outcome import Declined, Delivered, Failed, Outcome, Proof
from gateway.core.override import OverrideResult
from gateway.core.record import Kind, State
from gateway.core.reply import Status
from gateway.core.tls import Channel, Evidence, MxAuth, Protection
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, Log, LogFile
from gateway.telemetry.metrics import Metrics
from tests.telemetry.samples import DELIVERED, MARK, MESSAGE, NOW, ROUTE, deferred, evidence, row


class Lines(LogFile):
    def __init__(self) -> None:
        super().__init__(-1)
        self.bytes = io.BytesIO()

    def write(self, line: bytes) -> None:
        self.bytes.write(line)


class Stopped:
    """A clock that stands at NOW."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep_until(self, when: datetime) -> None:
        raise AssertionError("telemetry never waits")


class Heard:
    """Telemetry with its log and its counters at hand."""

    def __init__(self) -> None:
        self.file = Lines()
        self.registry = CollectorRegistry()
        self.telemetry = Telemetry(Log(self.file, Level.INFO, slot=3), Metrics(self.registry), Stopped())

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.file.bytes.getvalue().splitlines()]

    def count(self, name: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_an_accepted_message_is_one_line_and_one_more_for_each_decision(heard: Heard) -> None:
    heard.telemetry.accepted(MESSAGE, [row(), row()])
    accepted, first, second = heard.lines
    assert accepted["event"] == "accepted"
    assert accepted["queue_id"] == "000-abc"
    assert accepted["recipients"] == 2
    assert accepted["classification"] == "restricted"
    assert accepted["slot"] == 3
    assert first == second | {"time": first["time"]}
    assert (first["rule"], first["action"], first["chain"]) == ("Restricted", "route", ["secure", "encrypted"])
    assert first["floor"] == "verified"
    assert heard.count("sealpost_received_total", listener="smtp") == 1
    assert heard.count("sealpost_received_bytes_total", listener="smtp") == 2000
    labels = {"rule": "Restricted", "action": "route", "route": "secure", "level": "restricted"}
    assert heard.count("sealpost_decisions_total", **labels) == 2


def test_labels_are_counted_by_source_and_result_and_stand_in_no_line(heard: Heard) -> None:
    garbled = Label(source="subject", raw="odd value", result=LabelResult.GARBLED, level=None)
    found = MESSAGE.facts
    assert found is not None
    classification = replace(found.classification, labels=(*found.classification.labels, garbled, garbled))
    heard.telemetry.accepted(replace(MESSAGE, facts=replace(found, classification=classification)), [row()])
    assert heard.count("sealpost_labels_total", source="Sensitivity", result="level") == 1
    assert heard.count("sealpost_labels_total", source="subject", result="garbled") == 2
    assert "odd value" not in json.dumps(heard.lines)


def test_our_own_mail_is_counted_apart(heard: Heard) -> None:
    heard.telemetry.accepted(replace(MESSAGE, kind=Kind.REPORT, facts=None), [row()])
    assert heard.count("sealpost_own_mail_total", kind="report") == 1
    assert heard.count("sealpost_received_total", listener="smtp") is None
    [line] = heard.lines
    assert line["kind"] == "report"
    assert "classification" not in line
    assert not [
        sample for family in heard.registry.collect() for sample in family.samples if "Restricted" in str(sample)
    ]


REFUSED = Refused(rule="R", floor=Protection.NONE, reason=MARK, advice=MARK)
HELD = Held(rule="R", chain=("tls",), floor=Protection.NONE, reason=MARK, advice=MARK)
OPEN = Open(rule="R", missing=("starttls",), floor=Protection.NONE, reason=MARK, advice=MARK)


@pytest.mark.parametrize(("decision", "action"), [(REFUSED, "reject"), (HELD, "hold"), (OPEN, "open")])
def test_other_decisions_are_counted_by_what_they_do(heard: Heard, decision: Decision, action: str) -> None:
    heard.telemetry.accepted(MESSAGE, [row(decision=decision)])
    labels = {"rule": "R", "action": action, "route": "", "level": "restricted"}
    assert heard.count("sealpost_decisions_total", **labels) == 1


@pytest.mark.parametrize(
    ("outcome", "result", "cause", "logged"),
    [
        (DELIVERED, "delivered", "", {"status": "2.0.0", "code": 250, "host": "mx.tls.example", "verified": True}),
        (deferred(), "deferred", "reply 4xx", {"status": "4.7.1", "code": 451, "cause": "reply 4xx"}),
        (
            Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="none", evidence=evidence(tls=None)),
            "declined",
            "no STARTTLS",
            {"status": "5.7.4", "host": "mx.tls.example"},
        ),
        (Failed(status=Status(5, 1, 2), detail="no such domain"), "failed", "", {"status": "5.1.2"}),
    ],
)
def test_an_attempt_is_logged_and_counted_by_its_outcome(
    heard: Heard, outcome: Outcome, result: str, cause: str, logged: dict[str, object]
) -> None:
    heard.telemetry.attempted(MESSAGE, row(attempts=1), ROUTE, outcome)
    [line] = heard.lines
    assert line["event"] == "attempt"
    assert (line["route"], line["result"], line["attempt"]) == ("secure", result, 2)
    assert line | logged == line
    assert heard.count("sealpost_outcomes_total", route="secure", result=result, cause=cause) == 1


@pytest.mark.parametrize(
    ("seen", "version", "grade"),
    [
        (evidence(), "TLSv1.3", "verified"),
        (evidence(tls="TLSv1.2", verified=False), "TLSv1.2", "encrypted"),
        (replace(evidence(), channel=Channel.DANE, mx=MxAuth.DNSSEC), "TLSv1.3", "dane"),
        (replace(evidence(), channel=Channel.PINNED), "TLSv1.3", "pinned"),
        (replace(evidence(tls="TLSv1.2"), mx=MxAuth.MTA_STS), "TLSv1.2", "mta-sts"),
        (evidence(tls=None, verified=False), "none", "plain"),
    ],
)
def test_a_delivery_is_counted_by_tls_version_and_grade(heard: Heard, seen: Evidence, version: str, grade: str) -> None:
    outcome = Delivered(remote=DELIVERED.remote, evidence=seen)
    heard.telemetry.attempted(MESSAGE, row(), ROUTE, outcome)
    assert heard.count("sealpost_delivered_tls_total", version=version, grade=grade) == 1


def test_an_attempt_tells_all_that_was_seen_of_the_connection_and_what_demanded_it(heard: Heard) -> None:
    heard.telemetry.attempted(MESSAGE, row(), ROUTE, DELIVERED)
    heard.telemetry.attempted(MESSAGE, row(), ROUTE, Failed(status=Status(5, 1, 2), detail="none"))
    seen, unseen = heard.lines
    expected = {
        "mx": "mx.tls.example",
        "address": "192.0.2.1",
        "tls": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "grade": "verified",
        "verified": True,
        "how": "checked",
        "demanded_by": "floor verified",
        "certificate": "CN=mx.tls.example",
        "issuer": "CN=Authority",
        "not_after": "2026-03-31T12:00:00+00:00",
        "spki": "ab" * 32,
    }
    assert {name: seen[name] for name in expected} == expected
    assert not expected.keys() & unseen.keys()


def test_a_plain_attempt_has_its_grade_and_no_certificate(heard: Heard) -> None:
    heard.telemetry.attempted(MESSAGE, row(), ROUTE, deferred(evidence=evidence(tls=None, verified=False)))
    [line] = heard.lines
    assert (line["grade"], line["verified"]) == ("plain", False)
    assert not {"tls", "cipher", "certificate", "issuer", "not_after", "spki"} & line.keys()


def test_a_wish_for_tls_all_the_way_is_logged(heard: Heard) -> None:
    wishing = replace(MESSAGE, envelope=replace(MESSAGE.envelope, require_tls=True))
    heard.telemetry.accepted(wishing, [row()])
    heard.telemetry.accepted(MESSAGE, [row()])
    assert [line.get("require_tls") for line in heard.lines if line["event"] == "accepted"] == [True, None]


def test_a_deferral_is_no_tls_delivery(heard: Heard) -> None:
    heard.telemetry.attempted(MESSAGE, row(), ROUTE, deferred())
    assert heard.count("sealpost_delivered_tls_total", version="TLSv1.3", grade="encrypted") is None


def test_an_end_is_counted_and_only_deliveries_are_timed(heard: Heard) -> None:
    heard.telemetry.ended(MESSAGE, row(state=State.DELIVERED, attempts=2))
    heard.telemetry.ended(MESSAGE, row(state=State.REPORTED))
    assert heard.count("sealpost_ended_total", state="delivered") == 1
    assert heard.count("sealpost_ended_total", state="reported") == 1
    assert heard.count("sealpost_delivery_seconds_count") == 1
    assert heard.count("sealpost_delivery_seconds_sum") == 90
    assert heard.lines[0]["seconds"] == 90.0


def test_the_other_facts_have_a_line_and_a_counter_each(heard: Heard) -> None:
    heard.telemetry.refused("smtp", "192.0.2.9", "not admitted", 550)
    heard.telemetry.moved(MESSAGE, row(), "tls", "encrypted")
    heard.telemetry.unprotected(MESSAGE, row())
    heard.telemetry.alert("route vanished", "000-abc", "the route tls is not configured")
    assert [line["event"] for line in heard.lines] == ["refused", "moved", "unprotected", "alert"]
    assert [line["level"] for line in heard.lines] == ["info", "info", "error", "warning"]
    assert heard.count("sealpost_refused_total", listener="smtp", code="550") == 1
    assert heard.count("sealpost_moved_total", from_route="tls", to_route="encrypted") == 1
    assert heard.count("sealpost_unprotected_total") == 1
    assert heard.count("sealpost_alerts_total", name="route vanished") == 1


def test_a_fault_of_ours_is_logged_by_type_and_place(heard: Heard) -> None:
    try:
        raise ValueError(f"cannot parse {MARK}")
    except ValueError as error:
        heard.telemetry.broken("dispatch", "000-abc", error)
    [line] = heard.lines
    assert str(line["error"]).startswith("ValueError at ")
    assert "test_events.py" in str(line["error"])
    assert heard.count("sealpost_broken_total", where="dispatch") == 1


def test_no_planted_marker_reaches_the_log_or_a_label(heard: Heard) -> None:
    heard.telemetry.accepted(MESSAGE, [row()])
    failed = Failed(status=Status(5, 6, 0), detail=MARK, remote=DELIVERED.remote)
    declined = Declined(proof=Proof.CERTIFICATE, status=Status(5, 7, 5), detail=MARK, evidence=evidence())
    for outcome in (DELIVERED, deferred(), failed, declined):
        heard.telemetry.attempted(MESSAGE, row(last=outcome), ROUTE, outcome)
    heard.telemetry.moved(MESSAGE, row(), "tls", "encrypted")
    heard.telemetry.ended(MESSAGE, row(state=State.DELIVERED, last=DELIVERED))
    heard.telemetry.unprotected(MESSAGE, row())
    heard.telemetry.broken("accept", "000-abc", KeyError(MARK))
    assert len(heard.lines) == 10
    assert MARK not in heard.file.bytes.getvalue().decode()
    assert not any(MARK in str(sample) for family in heard.registry.collect() for sample in family.samples)


@pytest.mark.parametrize("rule", ["Guarded", ""])
def test_one_time_token_is_counted_by_what_came_of_it_and_logged_without_its_reason(rule: str) -> None:
    heard = Heard()
    heard.telemetry.overridden(rule, "a@b.example", OverrideResult.USED)
    assert heard.count("sealpost_overrides_total", result="used before") == 1
    (line,) = heard.lines
    assert (line["event"], line.get("rule"), line["sender"]) == ("override", rule or None, "a@b.example")
    assert line["result"] == "used before"


OBSERVED = Routed(
    rule="Controlled",
    chain=("opportunistic",),
    floor=Protection.NONE,
    original_floor=Protection.VERIFIED,
    reason="only observed",
    advice="",
    instead=Instead(rule="Controlled", action="reject", chain=(), floor=Protection.VERIFIED),
)


def test_shortfall_of_what_is_only_observed_is_counted_apart(heard: Heard) -> None:
    heard.telemetry.observed_unprotected(MESSAGE, row(decision=OBSERVED))
    assert heard.count("sealpost_observed_unprotected_total") == 1
    assert heard.count("sealpost_unprotected_total") == 0
    (line,) = heard.lines
    assert (line["event"], line["level"], line["floor"]) == ("observed_unprotected", "warning", "verified")


def test_what_a_decision_causes_is_logged_by_rule_and_number(heard: Heard) -> None:
    effects = Effects(
        warnings=(Point("Many", MARK, MARK), Point("Subject", MARK, MARK), Point("Many", MARK, "")),
        notifications=(Notification("Many", "dpo@council.example", MARK),),
        copies=("archive@council.example",),
    )
    heard.telemetry.accepted(MESSAGE, [row(decision=replace(OBSERVED, effects=effects)), row()])
    decided, plain = heard.lines[1:]
    assert (decided["warned_by"], decided["notified"], decided["copies"]) == ("Many, Subject", 1, 1)
    assert decided["observed"] == "reject"
    assert not {"warned_by", "notified", "copies", "observed"} & set(plain)
    assert MARK not in heard.file.bytes.getvalue().decode()
