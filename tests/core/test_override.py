"""Tokens and their marks: what they look like, what they are good for, and what they never lift."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.facts import Field, Scan
from gateway.core.marks import MAX_MARKS
from gateway.core.override import (
    LONGEST_REASON,
    MOST_MARKS,
    VALID_FOR,
    Grant,
    Mark,
    lifted,
    named_by,
    new_token,
    read_marks,
    serves,
    stops,
    token_id,
    token_lines,
)
from gateway.core.refusal import refusal
from gateway.core.reply import Status
from gateway.core.report import Identity, Purpose, Report, item_of
from gateway.core.report_text import paragraphs
from gateway.core.tls import Protection
from tests.core.queued import MESSAGE, ROW
from tests.fakes.clock import START
from tests.fixtures.build import policy, rule

KEY = b"k" * 32
POLICY = policy(rule("Rest", None, "tls"))
GP, NURSE, CLERK = (parse_address(f"{name}@x.example") for name in ("gp", "nurse", "clerk"))
NONE = Protection.NONE
SENT = Routed(rule="Rest", chain=("tls",), floor=NONE, original_floor=NONE, reason="r", advice="")
OPEN = Open(rule="Lookup", missing=("starttls of x.example",), floor=NONE, reason="r", advice="")


def refused(rule: str, *, overridable: bool = True) -> Refused:
    return Refused(rule=rule, floor=NONE, reason="r", advice="", overridable=overridable)


def held(rule: str, *, overridable: bool = True) -> Held:
    return Held(rule=rule, chain=("tls",), floor=NONE, reason="r", advice="", overridable=overridable)


def grant(rule: str, *recipients: Address) -> Grant:
    return Grant(rule=rule, sender="a@b.example", recipients=frozenset(r.key for r in recipients), until=START)


def subject(*values: bytes) -> Scan:
    fields = tuple(Field("Subject", value) for value in values)
    return Scan(fields=fields, attachments=(), message_bytes=1, header_bytes=1)


def marks_of(scan: Scan) -> tuple[Mark, ...]:
    return read_marks(scan, POLICY)


def test_token_is_four_groups_of_signs_that_nobody_mistakes() -> None:
    tokens = {new_token(KEY, f"seed {number}") for number in range(200)}
    assert len(tokens) == 200
    signs = set("".join(tokens)) - {"-"}
    assert signs == set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
    assert {tuple(map(len, token.split("-"))) for token in tokens} == {(4, 4, 4, 4)}


def test_token_depends_on_key_and_seed() -> None:
    assert new_token(KEY, "a") == new_token(KEY, "a")
    assert len({new_token(KEY, "a"), new_token(KEY, "b"), new_token(b"o" * 32, "a")}) == 3


def test_token_is_kept_under_a_name_that_does_not_tell_it_and_forgives_its_spelling() -> None:
    token = new_token(KEY, "a")
    name = token_id(KEY, token)
    assert token_id(KEY, token.lower().replace("-", "")) == name
    assert token_id(b"o" * 32, token) != name
    assert len(name) == 40 and token.replace("-", "").lower() not in name


def test_one_other_sign_anywhere_is_another_token() -> None:
    token = new_token(KEY, "a")
    places = [place for place, sign in enumerate(token) if sign != "-"]
    other = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in places]
    assert len({token_id(KEY, one) for one in (token, *other)}) == 17


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        (b"Plan", ()),
        (b"[override: AB-CD she agreed by telephone] Plan", (Mark("AB-CD", "she agreed by telephone"),)),
        (b"RE: Plan [ Override :AB-CD  so\t be  it ]", (Mark("AB-CD", "so be it"),)),
        (b"[override: AB-CD]", (Mark("AB-CD", ""),)),
        (b"[override: AB-CD", ()),
        (b"[override: ]", ()),
        (b"[override: A first] x [override: B second] [override: A third]", (Mark("A", "first"), Mark("B", "second"))),
        (b"=?utf-8?q?=5Boverride=3A_AB-CD_t=C3=A9l=C3=A9phone=5D?=", (Mark("AB-CD", "t\u00e9l\u00e9phone"),)),
        (b"[override: a [override: AB-CD why]", ()),
        (b"[override: A bell\x07] [override: B \xe2\x80\xaeturned]", ()),
    ],
)
def test_marks_are_read_from_the_subject(text: bytes, marks: tuple[Mark, ...]) -> None:
    assert marks_of(subject(text)) == marks


def test_marks_and_reasons_have_limits() -> None:
    many = b"".join(b"[override: T%d because]" % number for number in range(MOST_MARKS + 1))
    assert [mark.token for mark in marks_of(subject(many))] == [f"T{number}" for number in range(MOST_MARKS)]
    (mark,) = marks_of(subject(b"[override: T " + b"r" * 497 + b"]"))
    assert mark.reason == "r" * LONGEST_REASON
    assert marks_of(subject(b"[override: T " + b"r" * 498 + b"]")) == ()
    assert marks_of(subject(b"[override: " + b"T" * 41 + b" why]")) == ()


def test_mark_that_stays_in_the_subject_is_not_read() -> None:
    twice = [b"[OVERRIDE: t%d why]" % number for number in range(MAX_MARKS)]
    assert marks_of(subject(*twice, b"[override: T why]"))[0].token == "t0"
    unread = b"".join(b"[override: \xe2\x80\xae%d]" % number for number in range(MAX_MARKS))
    many = b"".join(b"[override: a%d [x]" % number for number in range(MAX_MARKS))
    assert marks_of(subject(unread + b"[override: T why]")) == (Mark("T", "why"),)
    assert marks_of(subject(many + b"[override: T why]")) == ()


def test_other_marks_keep_none_from_being_read() -> None:
    references = b"".join(b"[ref: %d]" % number for number in range(MAX_MARKS + 5))
    assert marks_of(subject(references, b"[override: T why]")) == (Mark("T", "why"),)


def test_marks_of_all_subjects_count() -> None:
    assert marks_of(subject(b"[override: A one]", b"[override: B two]")) == (Mark("A", "one"), Mark("B", "two"))


@pytest.mark.parametrize(("reason", "enough"), [("", False), ("no", False), ("yes", True)])
def test_reason_has_three_signs(reason: str, enough: bool) -> None:
    assert Mark("T", reason).has_reason is enough


@given(st.binary(max_size=300))
def test_reading_marks_never_fails(text: bytes) -> None:
    for mark in marks_of(subject(b"[override: " + text, text)):
        assert mark.reason.isprintable() and len(mark.reason) <= LONGEST_REASON


def test_grant_holds_for_its_sender_and_rule_until_its_end() -> None:
    given_ = Grant(rule="R", sender="a@b.example", recipients=frozenset({"x"}), until=START + VALID_FOR)
    rules = frozenset({"R", "S"})
    assert given_.holds("a@b.example", rules, START)
    assert given_.holds("a@b.example", rules, START + timedelta(hours=72) - timedelta(seconds=1))
    assert not given_.holds("a@b.example", rules, START + timedelta(hours=72))
    assert not given_.holds("other@b.example", rules, START)
    assert not given_.holds("a@b.example", frozenset({"S"}), START)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (refused("R"), True),
        (held("R"), True),
        (refused("R", overridable=False), False),
        (held("R", overridable=False), False),
        (SENT, False),
        (OPEN, False),
    ],
)
def test_token_is_for_what_an_overridable_rule_stopped(decision: Decision, expected: bool) -> None:
    assert stops(decision) is expected


@pytest.mark.parametrize(
    ("grants", "decided", "rules"),
    [
        ([grant("R", GP)], {GP: refused("R")}, {"R"}),
        ([grant("R", GP)], {GP: held("R")}, {"R"}),
        ([grant("R", GP)], {GP: refused("R", overridable=False)}, set()),
        ([grant("R", GP)], {GP: refused("S")}, set()),
        ([grant("R", GP)], {GP: SENT}, set()),
        ([grant("R", GP)], {NURSE: refused("R")}, set()),
        ([grant("R", GP)], {GP: refused("R"), NURSE: SENT, CLERK: refused("S")}, {"R"}),
        ([grant("R", GP)], {GP: refused("R"), NURSE: refused("R")}, set()),
        ([grant("R", GP), grant("R", NURSE)], {GP: refused("R"), NURSE: held("R")}, {"R"}),
        ([grant("R", GP, NURSE)], {GP: refused("R")}, {"R"}),
        ([grant("R", GP)], {GP: OPEN}, {"R"}),
        ([grant("R", GP)], {GP: refused("R"), NURSE: OPEN}, set()),
        ([grant("R", GP), grant("S", NURSE)], {GP: refused("R"), NURSE: refused("S")}, {"R", "S"}),
        ([], {GP: refused("R")}, set()),
    ],
)
def test_rule_is_lifted_only_if_a_token_names_everybody_whom_it_stops(
    grants: list[Grant], decided: dict[Address, Decision], rules: set[str]
) -> None:
    assert lifted(named_by(grants), decided) == rules


def test_token_has_served_when_one_of_its_recipients_is_not_refused_any_more() -> None:
    assert serves(grant("R", GP, NURSE), {GP: refused("S"), NURSE: SENT})
    assert serves(grant("R", GP), {GP: held("S")})
    assert not serves(grant("R", GP), {GP: refused("S"), NURSE: SENT})


def test_report_and_refusal_show_how_each_rule_is_passed() -> None:
    items = (item_of(replace(ROW, decision=refused("R")), Status(5, 7, 1)),)
    assert items[0].overridable and not item_of(ROW, Status(5, 7, 1)).overridable
    report = Report(purpose=Purpose.HELD, message=MESSAGE, items=items, header=b"", tokens={"R": "AB-CD", "S": "EF-GH"})
    identity = Identity(hostname="gw.x.example", contact="the desk", postmaster=CLERK)
    *_, first, second, closing = paragraphs(report, identity)
    assert first.heading == "If it has to go all the same (rule: R)" and first.lines == token_lines("AB-CD")
    assert second.heading == "If it has to go all the same (rule: S)" and second.lines == token_lines("EF-GH")
    assert not closing.heading
    lines = refusal([(ROW.recipient, refused("R"))], "the desk", {"R": "AB-CD"}).lines
    assert lines[1:3] == token_lines("AB-CD") and "Report it now" in lines[3]
    assert "[override" not in "".join(refusal([(ROW.recipient, refused("R"))], "the desk").lines)


def test_lines_say_the_mark_and_its_limits() -> None:
    first, second = token_lines("AB-CD")
    assert "[override: AB-CD your reason]" in first
    assert "once" in second and "72 hours" in second
