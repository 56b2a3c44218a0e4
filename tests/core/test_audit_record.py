"""What the audit tells of each event, and that nothing in it that may name a person stands outside `Persons`."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.core.address import Address, NullPath
from gateway.core.audit_record import PERSONAL, Persons, Record, told
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.facts import Classification, Facts, Intent
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Proof, Remote, Sealed
from gateway.core.record import Event, EventKind, QueueId, State
from gateway.core.reply import Reply, Status
from gateway.core.sealing import Method, Sealing
from gateway.core.tls import Channel, Evidence, Protection

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EVENT = Event(kind=EventKind.ATTEMPT, at=AT, queue_id=QueueId("000-x"), recipient=0, address="amy@one.example")
EVIDENCE = Evidence(
    mx_host="mx.one.example",
    address="192.0.2.1",
    port=25,
    tls_version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    chain_digest="ab" * 32,
    channel=Channel.PKIX,
    how="checked",
    demanded_by="route",
)
BARE = replace(EVIDENCE, tls_version=None, cipher=None, chain_digest=None, channel=Channel.PLAIN)
REMOTE = Remote(host="mx.one.example", reply=Reply(250, None, ("OK amy@one.example",)))
SEALING = Sealing(method=Method.PORTAL, detail="in the portal")
FLOOR = Protection.ENCRYPTED


def test_what_was_accepted() -> None:
    facts = Facts(
        at=AT,
        classification=Classification(level="restricted", source="header"),
        intent=Intent.SECURE,
        intent_source="field",
        automatic=False,
        automatic_reason="",
        sender="officer@council.example",
        header_from=("officer@council.example",),
        header_sender=("delegate@council.example",),
        attachments=(),
        attachment_bytes=0,
        message_bytes=1234,
        found=frozenset({"nhs", "dob"}),
        reference="case 12",
    )
    event = replace(
        EVENT,
        kind=EventKind.ACCEPTED,
        recipient=None,
        address="",
        reverse_path=Address("officer", "council.example"),
        message_id="<1@council.example>",
        policy_hash="p1",
        facts=facts,
    )
    record, persons = told(event)
    assert record == Record(
        kind="accepted",
        at="2026-03-02T09:30:00+00:00",
        queue_id="000-x",
        policy="p1",
        level="restricted",
        level_source="header",
        intent="secure",
        bytes=1234,
        found=("dob", "nhs"),
    )
    assert dict(persons.items()) == {
        "sender": "officer@council.example",
        "message_id": "<1@council.example>",
        "author": "officer@council.example",
        "header_sender": "delegate@council.example",
        "reference": "case 12",
    }


def test_the_null_reverse_path_is_nobody() -> None:
    assert told(replace(EVENT, reverse_path=NullPath.NULL))[1] == Persons(recipient="amy@one.example")


@pytest.mark.parametrize(
    ("decision", "action", "routes"),
    [
        (
            Routed(rule="R", chain=("tls", "portal"), floor=FLOOR, original_floor=FLOOR, reason="", advice=""),
            "route",
            ("tls", "portal"),
        ),
        (Refused(rule="R", floor=FLOOR, reason="", advice=""), "reject", ()),
        (Held(rule="R", chain=("tls",), floor=FLOOR, reason="", advice=""), "hold", ("tls",)),
        (Open(rule="R", missing=("starttls",), floor=FLOOR, reason="", advice=""), "open", ()),
    ],
)
def test_what_was_decided(decision: Decision, action: str, routes: tuple[str, ...]) -> None:
    record, _ = told(replace(EVENT, kind=EventKind.DECIDED, decision=decision))
    assert (record.rule, record.decision, record.routes, record.floor) == ("R", action, routes, "encrypted")


@pytest.mark.parametrize(
    ("outcome", "expected", "detail"),
    [
        (
            Delivered(remote=REMOTE, evidence=EVIDENCE),
            Record(
                kind="attempt",
                at="",
                outcome="delivered",
                host="mx.one.example",
                tls="TLSv1.3",
                cipher="TLS_AES_256_GCM_SHA384",
                certificate="ab" * 32,
                grade="verified",
            ),
            "250 OK amy@one.example",
        ),
        (
            Delivered(remote=REMOTE, evidence=BARE, sealing=SEALING),
            Record(kind="attempt", at="", outcome="delivered", host="mx.one.example", grade="sealed, portal"),
            "250 OK amy@one.example",
        ),
        (Sealed(sealing=SEALING), Record(kind="attempt", at="", outcome="sealed", grade="sealed, portal"), ""),
        (
            Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail="no answer"),
            Record(kind="attempt", at="", outcome="deferred", cause="dns", status="4.4.3"),
            "no answer",
        ),
        (
            Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 10), detail="none", evidence=BARE),
            Record(kind="attempt", at="", outcome="declined", cause="no STARTTLS", status="5.7.10", grade="plain"),
            "none",
        ),
        (
            Failed(status=Status(5, 1, 1), detail="no such user", remote=REMOTE),
            Record(kind="attempt", at="", outcome="failed", status="5.1.1", host="mx.one.example"),
            "no such user",
        ),
    ],
)
def test_what_came_of_an_attempt(outcome: Outcome, expected: Record, detail: str) -> None:
    record, persons = told(replace(EVENT, outcome=outcome, route="tls"))
    assert record == replace(expected, at=AT.isoformat(), queue_id="000-x", number=0, route="tls")
    assert persons == Persons(recipient="amy@one.example", detail=detail)


def test_what_ended() -> None:
    record, persons = told(replace(EVENT, kind=EventKind.ENDED, state=State.DELIVERED, text="by ann"))
    assert (record.end, persons.text) == ("delivered", "by ann")


def test_every_personal_value_has_its_name_in_the_line() -> None:
    assert PERSONAL == Persons.__slots__
