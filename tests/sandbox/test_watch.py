"""Watching a message ends with its last recipient, or when what is left takes longer than a person waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.decision import Decision, Held, Open, Refused
from gateway.core.facts import Classification, Facts, Intent
from gateway.core.outcome import Cause, Declined, Deferred, Failed, Outcome, Proof
from gateway.core.record import Event, EventKind, State
from gateway.core.reply import Status
from gateway.core.tls import Protection
from gateway.sandbox.telling import Line, Tone, tell
from gateway.sandbox.watch import LOOK, PATIENCE, Pace, Unfinished, follow
from tests.fixtures.build import NOON
from tests.sandbox.samples import NOW, QUEUE_ID, ROUTED, FakeRecords, delivered, event, row

DECIDED = event(EventKind.DECIDED, decision=ROUTED)
ENDED = event(EventKind.ENDED, state=State.DELIVERED)


def watch(records: FakeRecords) -> tuple[list[Event | Unfinished], list[timedelta]]:
    slept: list[timedelta] = []
    return list(follow(records, QUEUE_ID, Pace(now=lambda: NOW, sleep=slept.append))), slept


def test_events_come_once_each_and_the_last_recipient_ends_it() -> None:
    records = FakeRecords(((row(),), (DECIDED,)), ((row(),), ()), ((), (ENDED,)), ((), (DECIDED,)))
    assert watch(records) == ([DECIDED, ENDED], [LOOK, LOOK])
    assert records.asked == [(QUEUE_ID, 0), (QUEUE_ID, 1), (QUEUE_ID, 1)]


def test_a_near_attempt_is_waited_for_and_a_far_one_is_told() -> None:
    near, far = row(due_in=PATIENCE), row(due_in=PATIENCE + timedelta(seconds=1))
    records = FakeRecords(((near,), (DECIDED,)), ((near, far), ()), ((far,), ()), ((), (ENDED,)))
    assert watch(records) == ([DECIDED, Unfinished((far,))], [LOOK, LOOK])


def test_a_sealed_recipient_is_waited_for_as_long_as_a_notification_may_well_take() -> None:
    pending = replace(row(due_in=timedelta(hours=1)), state=State.PENDING)
    records = FakeRecords(((pending,), ()), ((pending,), (DECIDED,)), ((), (ENDED,)))
    assert watch(records) == ([DECIDED, ENDED], [LOOK, LOOK])
    slept: list[timedelta] = []
    pace = Pace(now=lambda: NOW + sum(slept, timedelta()), sleep=slept.append)
    endless = FakeRecords(*[((pending,), ())] * (PATIENCE // LOOK + 5))
    assert list(follow(endless, QUEUE_ID, pace)) == [Unfinished((pending,))]
    assert sum(slept, timedelta()) == PATIENCE


def line(kind: EventKind, **more: object) -> Line:
    return tell(event(kind, **more))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (ROUTED, "rule “Controlled”: goes by tls, then encrypted; at least encrypted"),
        (
            Refused(rule="No", floor=Protection.VERIFIED, reason="too large", advice=""),
            "rule “No”: is given back; at least verified (too large)",
        ),
        (
            Held(rule="Wait", chain=("tls",), floor=Protection.NONE, reason="", advice=""),
            "rule “Wait”: is held for a person, then goes by tls; at least none",
        ),
        (
            Open(rule="Ask", missing=("starttls of x.example",), floor=Protection.NONE, reason="", advice=""),
            "rule “Ask”: is decided when this is known: starttls of x.example; at least none",
        ),
    ],
)
def test_every_decision_is_told_with_its_rule(decision: Decision, words: str) -> None:
    assert line(EventKind.DECIDED, decision=decision) == Line("alice@tls.example", words, Tone.PLAIN)


@pytest.mark.parametrize(
    ("outcome", "words", "tone"),
    [
        (
            delivered(),
            "tls: delivered to mx.tls.example, TLSv1.3 TLS_AES_256_GCM_SHA384, verified: certificate checked; "
            "it said 250 2.0.0 kept",
            Tone.GOOD,
        ),
        (
            delivered(verified=False),
            "tls: delivered to mx.tls.example, TLSv1.3 TLS_AES_256_GCM_SHA384, encrypted: certificate not checked; "
            "it said 250 2.0.0 kept",
            Tone.GOOD,
        ),
        (
            delivered(verified=False, tls_version=None),
            "tls: delivered to mx.tls.example, in the clear; it said 250 2.0.0 kept",
            Tone.GOOD,
        ),
        (
            Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail="no answer"),
            "tls: deferred (dns, 4.4.3): no answer",
            Tone.WAITING,
        ),
        (
            Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="not offered"),
            "tls: cannot carry this (no STARTTLS, 5.7.4): not offered",
            Tone.BAD,
        ),
        (Failed(status=Status(5, 1, 1), detail="unknown"), "tls: failed (5.1.1): unknown", Tone.BAD),
    ],
)
def test_every_outcome_is_told_with_its_evidence(outcome: Outcome, words: str, tone: Tone) -> None:
    assert line(EventKind.ATTEMPT, outcome=outcome, route="tls") == Line("alice@tls.example", words, tone)


def test_ends_are_good_only_where_the_message_arrived() -> None:
    assert line(EventKind.ENDED, state=State.SEALED).tone is Tone.GOOD
    assert line(EventKind.ENDED, state=State.DELIVERED) == Line("alice@tls.example", "delivered", Tone.GOOD)
    assert line(EventKind.ENDED, state=State.REPORTED, text="to the sender").text == "reported: to the sender"
    assert line(EventKind.ENDED, state=State.REPORTED).tone is Tone.BAD


def test_acceptance_tells_the_level_and_where_it_came_from() -> None:
    facts = Facts(
        at=NOON,
        classification=Classification(level="restricted", source="X-Classification"),
        intent=Intent.NONE,
        intent_source="",
        automatic=False,
        automatic_reason="",
        sender="officer@council.example",
        header_from=("officer@council.example",),
        attachments=(),
        attachment_bytes=0,
        message_bytes=10,
    )
    accepted = line(EventKind.ACCEPTED, facts=facts, address="")
    assert accepted == Line("", f"accepted: restricted (X-Classification), {QUEUE_ID}", Tone.PLAIN)


def test_a_move_names_both_routes_and_anything_else_is_told_as_it_stands() -> None:
    assert line(EventKind.MOVED, text="from tls", route="encrypted").text == "moved from tls to encrypted"
    assert line(EventKind.OPERATOR, text="retried by root").text == "operator: retried by root"
