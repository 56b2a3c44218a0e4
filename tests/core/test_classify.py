"""From a message to its facts: the level, the buttons, automatic mail, and that doubt never lowers anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.classify import gather
from gateway.core.defaults import Default
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.facts import Facts, Intent, LabelResult
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.subject import SubjectSource
from gateway.core.reading import Reading
from gateway.core.registers.book import Registers
from gateway.core.registers.systems import System
from gateway.core.subject import MAX_SUBJECT
from tests.core.scanning import multipart, named, scan
from tests.fixtures.build import NOON, policy, rule

LEVELS = ("public", "controlled", "restricted")
READING = Reading(
    levels=LEVELS,
    default="controlled",
    sources=(
        HeaderSource("Sensitivity", {"private": "restricted", "personal": "controlled", "normal": None}),
        HeaderSource("X-Classification", {level: level for level in LEVELS}),
        SubjectSource({"[RESTRICTED]": "restricted", "[PUBLIC]": "public"}),
    ),
    intent_marks={"[SECURE]": Intent.SECURE, "[ENCRYPT]": Intent.ENCRYPTED},
)
LAST = rule("all", None, "tls")
POLICY = policy(LAST, reading=READING)
SENDER = parse_address("jane@council.example")


def envelope(reverse_path: ReversePath = SENDER) -> Envelope:
    client = Client(identity="10.0.0.1", how=Admission.NETWORK, address="10.0.0.1", helo="mail", tls=None)
    recipients = (Recipient(address=parse_address("gp@nhs.example")),)
    return Envelope(client=client, listener="smtp", reverse_path=reverse_path, recipients=recipients)


def facts(header: str = "", *, reverse_path: ReversePath = SENDER, reading: Reading = READING) -> Facts:
    message = f"From: Jane <jane@council.example>\n{header}\n\nbody\n".replace("\n\n\n", "\n\n")
    return gather(scan(message), envelope(reverse_path), policy(LAST, reading=reading), NOON)


# Level (R1).


@pytest.mark.parametrize(
    ("header", "level", "source"),
    [
        ("", "controlled", "default"),
        ("Sensitivity:", "controlled", "default"),
        ("Sensitivity: normal", "controlled", "default"),
        ("Importance: high", "controlled", "default"),
        ("X-Classification: public", "public", "header X-Classification"),
        ("Subject: [public] newsletter", "public", "subject"),
        ("Sensitivity: normal\nX-Classification: public", "public", "header X-Classification"),
        ("X-Classification: public\nSensitivity: personal", "controlled", "header Sensitivity"),
        ("X-Classification: public\nSubject: [RESTRICTED]", "restricted", "subject"),
        ("X-Classification: restricted\nSubject: [PUBLIC]", "restricted", "header X-Classification"),
        ("X-Classification: public\nX-Classification: restricted", "restricted", "header X-Classification"),
        ("X-Classification: Public-ish", "restricted", "garbled: header X-Classification"),
        ("X-Classification: public\nSensitivity: ???", "restricted", "garbled: header Sensitivity"),
        ("Sensitivity: private\nX-Classification: odd", "restricted", "garbled: header X-Classification"),
    ],
)
def test_the_highest_label_wins_and_the_default_only_without_one(header: str, level: str, source: str) -> None:
    classification = facts(header).classification
    assert (classification.level, classification.source) == (level, source)


@pytest.mark.parametrize(
    "header",
    [
        "X-Classification: public\nSensitivity : private",
        "X-Classification: public\nSensitivity private",
        "X-Classification: public\nSubject: a\nSubject: b",
        "X-Classification: public\nA: \x00",
    ],
)
def test_a_malformed_header_is_the_highest_level(header: str) -> None:
    classification = facts(header).classification
    assert (classification.level, classification.source) == ("restricted", "garbled: malformed header")


def test_a_malformed_part_is_the_highest_level() -> None:
    message = multipart("Content-Type: a/b\nContent-Type: c/d\n\nx\n", head="X-Classification: public\n")
    assert gather(scan(message), envelope(), POLICY, NOON).classification.level == "restricted"


def test_all_labels_are_recorded() -> None:
    found = facts("Sensitivity: normal\nX-Classification: odd\nSubject: [PUBLIC]").classification.labels
    assert [(label.result, label.level) for label in found] == [
        (LabelResult.NO_LABEL, None),
        (LabelResult.GARBLED, None),
        (LabelResult.LEVEL, "public"),
    ]


LABELS = ("Sensitivity: personal", "Sensitivity: private", "X-Classification: public", "Subject: [RESTRICTED]", "Odd")


@given(st.lists(st.sampled_from(LABELS), max_size=4), st.sampled_from(LABELS))
def test_one_more_label_never_lowers_the_level(header: list[str], more: str) -> None:
    before = facts("\n".join(header)).classification
    after = facts("\n".join([*header, more])).classification
    if before.source != "default":
        assert LEVELS.index(after.level) >= LEVELS.index(before.level)


def test_the_default_must_be_a_level() -> None:
    with pytest.raises(ValueError, match="default"):
        Reading(levels=LEVELS, default="secret", sources=())


# Intent (R17).


@pytest.mark.parametrize(
    ("header", "intent", "source"),
    [
        ("", Intent.NONE, ""),
        ("X-Sealpost-Intent:", Intent.NONE, ""),
        ("X-Sealpost-Intent: none", Intent.NONE, ""),
        ("X-Sealpost-Intent: Secure", Intent.SECURE, "header X-Sealpost-Intent"),
        ("x-sealpost-intent: =?utf-8?q?encrypted?=", Intent.ENCRYPTED, "header X-Sealpost-Intent"),
        ("X-Sealpost-Intent: sekure", Intent.ENCRYPTED, "header X-Sealpost-Intent: unknown value"),
        (
            "X-Sealpost-Intent: secure\nX-Sealpost-Intent: ?",
            Intent.ENCRYPTED,
            "header X-Sealpost-Intent: unknown value",
        ),
        ("X-Sealpost-Intent: encrypted\nX-Sealpost-Intent: ?", Intent.ENCRYPTED, "header X-Sealpost-Intent"),
        ("X-Sealpost-Intent: encrypted\nX-Sealpost-Intent: none", Intent.ENCRYPTED, "header X-Sealpost-Intent"),
        ("Subject: [secure] report", Intent.SECURE, "subject [secure]"),
        ("Subject: report [ENCRYPT] [SECURE]", Intent.ENCRYPTED, "subject [encrypt]"),
        ("Subject: =?utf-8?B?W1NFQ1VSRV0=?=", Intent.SECURE, "subject [secure]"),
        ("X-Sealpost-Intent: secure\nSubject: [ENCRYPT]", Intent.ENCRYPTED, "subject [encrypt]"),
        ("X-Sealpost-Intent: encrypted\nSubject: [SECURE]", Intent.ENCRYPTED, "header X-Sealpost-Intent"),
        ("Subject: secure", Intent.NONE, ""),
    ],
)
def test_the_highest_intent_wins(header: str, intent: Intent, source: str) -> None:
    found = facts(header)
    assert (found.intent, found.intent_source) == (intent, source)


LONG = f"Subject: {'a' * MAX_SUBJECT}"


def test_a_subject_too_long_to_be_read_is_the_highest_level_and_may_hold_a_button() -> None:
    found = facts(f"X-Classification: public\n{LONG}b")
    assert (found.classification.level, found.classification.source) == ("restricted", "garbled: malformed header")
    assert (found.intent, found.intent_source) == (Intent.ENCRYPTED, "subject: too long to be read")
    pressed = facts(f"X-Sealpost-Intent: encrypted\n{LONG}b")
    assert pressed.intent_source == "header X-Sealpost-Intent"
    assert facts(LONG).intent is Intent.NONE
    without = replace(READING, intent_marks={})
    assert facts(f"{LONG}b", reading=without).intent is Intent.NONE


def test_the_intent_header_can_be_named() -> None:
    reading = Reading(levels=LEVELS, default="public", sources=(), intent_header="X-Button")
    found = facts("X-Button: secure\nX-Sealpost-Intent: encrypted\nSubject: [ENCRYPT]", reading=reading)
    assert (found.intent, found.intent_source) == (Intent.SECURE, "header X-Button")


def test_of_two_spellings_of_one_mark_the_higher_intent_holds() -> None:
    marks = {"[go  on]": Intent.ENCRYPTED, "[GO ON]": Intent.SECURE}
    reading = Reading(levels=LEVELS, default="public", sources=(), intent_marks=marks)
    assert facts("Subject: [Go On]", reading=reading).intent is Intent.ENCRYPTED


def test_an_empty_intent_mark_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="empty"):
        Reading(levels=LEVELS, default="public", sources=(), intent_marks={"": Intent.SECURE})


# Automatic mail (R18).


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", ""),
        ("Auto-Submitted: no", ""),
        ("Auto-Submitted: No (a person) ; x=y", ""),
        ("Auto-Submitted:", ""),
        ("Auto-Submitted: auto-replied", "Auto-Submitted"),
        ("Auto-Submitted: auto-generated; owner-email=x", "Auto-Submitted"),
        ("Auto-Submitted: no\nAuto-Submitted: auto-notified", "Auto-Submitted"),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", "report or receipt"),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", "report or receipt"),
        ("Content-Type: message/disposition-notification", "report or receipt"),
        ("Content-Type: text/calendar; method=REPLY", "calendar reply"),
        ("Content-Type: text/calendar; method=counter", "calendar reply"),
        ("Content-Type: text/calendar; method=REQUEST", ""),
        ("Content-Type: text/calendar; method=CANCEL", ""),
        ("Content-Type: text/calendar", ""),
        ("Content-Type: text/calendar; method=REPLY\nContent-Disposition: attachment", ""),
    ],
)
def test_automatic_mail_is_known_by_its_reason(header: str, reason: str) -> None:
    found = facts(header)
    assert (found.automatic, found.automatic_reason) == (bool(reason), reason)


def test_a_null_reverse_path_is_automatic() -> None:
    found = facts(reverse_path=NullPath.NULL)
    assert (found.automatic_reason, found.sender) == ("null reverse-path", "")


@pytest.mark.parametrize(("second", "automatic"), [("REPLY", True), ("REQUEST", False)])
def test_a_calendar_reply_beside_an_invitation_is_not_automatic(second: str, automatic: bool) -> None:
    parts = [f"Content-Type: text/calendar; method={method}\n\nBEGIN\n" for method in ("REPLY", second)]
    assert gather(scan(multipart(*parts, kind="alternative")), envelope(), POLICY, NOON).automatic is automatic


def test_a_report_inside_a_letter_is_not_automatic() -> None:
    report = "Content-Type: multipart/report; boundary=r\n\n--r\n\nx\n--r--\n"
    assert not gather(scan(multipart(report)), envelope(), POLICY, NOON).automatic


# The rest.


def test_sender_author_and_sizes_are_taken_over() -> None:
    scanned = scan(multipart(named("a.pdf", bytes(77))))
    found = gather(scanned, envelope(), POLICY, NOON)
    assert found.sender == "jane@council.example"
    assert found.header_from == ("a@council.example",)
    assert [file.name for file in found.attachments] == ["a.pdf"]
    assert (found.attachment_bytes, found.message_bytes) == (77, scanned.message_bytes)
    assert found.outside == {}


def test_an_author_that_cannot_be_read_is_nobody() -> None:
    assert gather(scan("From: a@b.example <c@d.example>\n\nx\n"), envelope(), POLICY, NOON).header_from == ()
    assert gather(scan("To: a@b.example\n\nx\n"), envelope(), POLICY, NOON).header_from == ()


def test_who_can_be_seen_and_who_sent_it_are_taken_over() -> None:
    head = "Sender: pa@council.example\nTo: a@x.example, Bee <b@x.example>\nCc: c@y.example\nBcc: d@y.example\n"
    found = facts(head + "Subject: [ref: ABC/1] x")
    assert found.header_sender == ("pa@council.example",)
    assert (found.visible, found.visible_more) == (("a@x.example", "b@x.example", "c@y.example"), 0)
    assert (found.reference, found.fingerprint, found.listener, found.owner) == ("ABC/1", "", "smtp", "")


def test_a_fingerprint_needs_a_key() -> None:
    scanned = scan("Subject: minutes\n\nx\n")
    one, two = (gather(scanned, envelope(), POLICY, NOON, key).fingerprint for key in (b"1", b"2"))
    assert one
    assert two
    assert one != two


# Defaults (R1).

PRINTERS = Reading(
    levels=LEVELS,
    default="controlled",
    sources=READING.sources,
    defaults=(Default(level="public", listener="other"), Default(level="restricted", listener="smtp")),
)


@pytest.mark.parametrize(
    ("header", "level", "source"),
    [
        ("", "restricted", "default of listener smtp"),
        ("Sensitivity: normal", "restricted", "default of listener smtp"),
        ("X-Classification: public", "public", "header X-Classification"),
        ("X-Classification: odd", "restricted", "garbled: header X-Classification"),
    ],
)
def test_a_default_holds_only_where_no_label_was_found(header: str, level: str, source: str) -> None:
    classification = facts(header, reading=PRINTERS).classification
    assert (classification.level, classification.source) == (level, source)


@pytest.mark.parametrize(("level", "held"), [("public", "public"), ("unheard of", "restricted")])
def test_a_system_of_the_register_has_its_level_and_owner(level: str, held: str) -> None:
    system = System(name="News", level=level, sender="jane@council.example", owner="press@council.example")
    known = replace(POLICY, registers=Registers(systems=(system,)))
    found = gather(scan("From: jane@council.example\n\nx\n"), envelope(), known, NOON)
    assert (found.classification.level, found.classification.source) == (held, "default of the system News")
    assert found.owner == "press@council.example"
    labelled = gather(scan("X-Classification: restricted\n\nx\n"), envelope(), known, NOON)
    assert labelled.classification.source == "header X-Classification"
    assert labelled.owner == "press@council.example"


def test_a_default_that_is_no_level_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="secret"):
        Reading(levels=LEVELS, default="public", sources=(), defaults=(Default(level="secret", listener="x"),))


@pytest.mark.parametrize(
    ("header", "conflict"),
    [
        ("", False),
        ("X-Classification: public\nSubject: [PUBLIC]\nSensitivity: normal", False),
        ("X-Classification: public\nSensitivity: private", True),
        ("X-Classification: odd", False),
        ("X-Classification: odd\nX-Classification: restricted", True),
    ],
)
def test_labels_that_disagree_are_a_conflict(header: str, conflict: bool) -> None:
    assert facts(header).classification.conflict is conflict
