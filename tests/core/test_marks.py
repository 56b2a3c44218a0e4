"""Which marks are read from a subject for the record, and which of them leave it."""

import time

import pytest

from gateway.core.facts import Intent, Scan
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.protective_marking import ProtectiveMarkingSource
from gateway.core.labels.subject import SubjectSource
from gateway.core.marks import MAX_MARKS, marks_to_remove, read_reference, without_marks
from gateway.core.reading import Reading
from tests.core.scanning import scan
from tests.fixtures.build import LEVELS, policy, rule

READING = Reading(
    levels=LEVELS,
    default="controlled",
    sources=(
        SubjectSource({"[LEAVES]": "restricted"}, remove=True),
        SubjectSource({"[STAYS]": "restricted"}),
        ProtectiveMarkingSource("gov.example", {"OFFICIAL": "controlled"}, remove=True),
        HeaderSource("X", {"[HEADER]": "public"}),
    ),
    intent_marks={"[SECURE]": Intent.SECURE},
)
KEEPS = Reading(levels=LEVELS, default="controlled", sources=(), intent_remove=False, disclosure_mark="case")


def subject(text: str) -> Scan:
    return scan(f"Subject: {text}\n\nx\n")


def leaving(text: str, reading: Reading = READING) -> tuple[str, ...]:
    return marks_to_remove(policy(rule("all", None, "tls"), reading=reading), subject(text))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("Minutes [ref: ABC/123]", "ABC/123"),
        ("[Ref:abc  123 ] Minutes", "abc 123"),
        ("=?utf-8?q?=5Bref=3A_caf=C3=A9=5D?=", "caf\u00e9"),
        ("[ref: ] [ref: two]", "two"),
        (f"[ref: {'x' * 80}]", "x" * 80),
        (f"[ref: {'x' * 81}] [ref: b]", "b"),
        ("=?utf-8?q?=5Bref=3A_a=00b=5D?=", ""),
        ("ref: ABC", ""),
        ("[ref ABC]", ""),
        ("[reference: ABC]", ""),
        ("[case: ABC]", ""),
        ("", ""),
    ],
)
def test_the_reference_of_a_disclosure_is_read(text: str, reference: str) -> None:
    assert read_reference(subject(text), READING) == reference


def test_the_word_of_the_reference_can_be_chosen() -> None:
    assert read_reference(subject("[ref: 1] [Case: 2]"), KEEPS) == "2"
    assert leaving("[ref: 1] [Case: 2]", KEEPS) == ("[case: 2]",)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Minutes", ()),
        ("[SECURE] [Leaves] [STAYS] [HEADER] Minutes", ("[secure]", "[leaves]")),
        (
            "a [ref:  X/1] b [override: K7QF-M2XD the [urgent reason] c",
            ("[override: k7qf-m2xd the [urgent reason]", "[ref: x/1]"),
        ),
        ("a [SEC=OFFICIAL, CAVEAT=x]", ("[sec=official, caveat=x]",)),
        (f"a [SEC=OFFICIAL, CAVEAT={'x' * 600}]", ()),
        ("[ref: a] [REF: A] [ref: b]", ("[ref: a]", "[ref: b]")),
        (f"[ref: {'x' * 100}]", (f"[ref: {'x' * 100}]",)),
        ("=?utf-8?q?=5Bref=3A_a=00b=5D?=", ()),
    ],
)
def test_the_marks_that_are_for_us_leave(text: str, marks: tuple[str, ...]) -> None:
    assert leaving(text) == marks


def test_buttons_stay_on_request() -> None:
    marks = {"[SECURE]": Intent.SECURE}
    keeps = Reading(levels=LEVELS, default="controlled", sources=(), intent_marks=marks, intent_remove=False)
    assert leaving("[SECURE] [ref: 1]", keeps) == ("[ref: 1]",)


def test_only_so_many_marks_are_kept() -> None:
    assert len(leaving("".join(f"[ref: {number}]" for number in range(MAX_MARKS + 5)))) == MAX_MARKS


def test_overrides_leave_before_all_others() -> None:
    many = "".join(f"[ref: {number}]" for number in range(MAX_MARKS))
    found = scan(f"Subject: {many}\nSubject: {many} [Override: t why]\n\nx\n")
    assert marks_to_remove(policy(rule("all", None, "tls"), reading=READING), found)[0] == "[override: t why]"


def test_a_reference_that_stays_there_is_not_read() -> None:
    many = "".join(f"[override: {number}]" for number in range(MAX_MARKS))
    assert read_reference(subject(f"{many} [ref: a]"), READING) == ""
    assert read_reference(subject(f"{many[13:]} [ref: a]"), READING) == "a"


def test_what_is_left_of_a_subject_without_its_marks() -> None:
    text = "re: [secure] a [stays] b [leaves] [ref: 1] c [override: t why] [sec=x]"
    assert without_marks(text, READING) == "re: a b c"
    assert without_marks("a [ref: 1]", KEEPS) == "a [ref: 1]"


@pytest.mark.parametrize("text", ["[ref:" * 40000, "[ " * 100000, "[override: a " * 18000, "[ref: a]" * 30000])
def test_a_subject_full_of_beginnings_costs_no_square_of_time(text: str) -> None:
    made = subject(text)
    began = time.process_time()
    read_reference(made, READING)
    marks_to_remove(policy(rule("all", None, "tls"), reading=READING), made)
    assert time.process_time() - began < 5
