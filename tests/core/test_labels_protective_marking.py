"""Protective markings in the field and in the subject."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Field, Label, LabelResult, Scan
from gateway.core.labels.base import MAX_VALUE, read_labels, split_pairs
from gateway.core.labels.protective_marking import ProtectiveMarkingSource
from tests.core.scanning import scan

LEVELS = ("official", "sensitive", "protected")
VALUES = {
    "UNOFFICIAL": None,
    "OFFICIAL": "official",
    "OFFICIAL:Sensitive": "sensitive",
    "PROTECTED": "protected",
    "TOP-SECRET": "protected",
    "UNCLASSIFIED": "official",
}
SOURCE = ProtectiveMarkingSource("gov.au", VALUES)


def labels(header: str) -> tuple[Label, ...]:
    return read_labels(scan(f"From: a@council.example\n{header}\n\nbody\n"), (SOURCE,), LEVELS)


def results(header: str) -> list[LabelResult | str]:
    return [label.level or label.result for label in labels(header)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("VER=2018.4, NS=gov.au, SEC=OFFICIAL:Sensitive, ORIGIN=neville.jones@entity.gov.au", "sensitive"),
        ("VER=2018.4, NS=gov.au, SEC=OFFICIAL: Sensitive, ORIGIN=neville.jones@entity.gov.au", "sensitive"),
        ("VER=2025.1,\n NS=gov.au,\n SEC=TOP-SECRET", "protected"),
        (
            "VER=2018.4, NS=gov.au, SEC=TOP-SECRET, CAVEAT=SH:CABINET, CAVEAT=RI:REL AFG, ACCESS=Legal-Privilege",
            "protected",
        ),
        ("VER=2005.6, NS=gov.au, SEC=UNCLASSIFIED, ORIGIN=D.Scurrah@bom.gov.au", "official"),
        ("ver=2018.4,ns=GOV.AU,sec=top secret", "protected"),
        ("SEC=PROTECTED, NS=gov.au, VER=2012.3", "protected"),
        ("VER=2018.4, NS=gov.au, SEC=PROTECTED, ORIGIN=a, b and c", "protected"),
        # No label of ours.
        ("", LabelResult.NO_LABEL),
        ("VER=2024.1, NS=gov.au, SEC=UNOFFICIAL", LabelResult.NO_LABEL),
        (
            "VER=2021.0, NS=2022.1.thalesgroup.com, SEC=D04FB6C2, ORIGIN=Etienne.ALEPINS@thalesgroup.com",
            LabelResult.NO_LABEL,
        ),
        # Ours, or perhaps ours, and not to be read.
        ("VER=2018.4, NS=gov.au, SEC=SECRET", LabelResult.GARBLED),
        ("VER=2018.4, NS=gov.au", LabelResult.GARBLED),
        ("VER=2018.4, NS=gov.au, SEC=", LabelResult.GARBLED),
        ("VER=2018.4, NS=gov.au, SEC=OFFICIAL, SEC=PROTECTED", LabelResult.GARBLED),
        ("VER=2018.4, NS=gov.au, SEC=OFFICIAL, PROTECTED", LabelResult.GARBLED),
        ("VER=2018.4, NS=gov.au, NS=else.example, SEC=OFFICIAL", LabelResult.GARBLED),
        ("VER=2018.4, SEC=OFFICIAL", LabelResult.GARBLED),
        ("NS=gov.au, SEC=OFFICIAL", LabelResult.GARBLED),
        ("VER=new, NS=gov.au, SEC=OFFICIAL", LabelResult.GARBLED),
        ("OFFICIAL", LabelResult.GARBLED),
        (f"VER=2018.4, NS=gov.au, SEC=OFFICIAL, ORIGIN={'x' * MAX_VALUE}", LabelResult.GARBLED),
    ],
)
def test_the_field_is_a_label_none_or_garbled(value: str, found: LabelResult | str) -> None:
    assert results(f"X-Protective-Marking: {value}") == [found]


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("Minutes [SEC=OFFICIAL:Sensitive]", ["sensitive"]),
        ("Minutes [SEC=OFFICIAL: Sensitive, CAVEAT=SH:NATIONAL-CABINET]", ["sensitive"]),
        ("[sec = protected, EXPIRES=2019-07-01, DOWNTO=OFFICIAL] Minutes", ["protected"]),
        ("Re: x [SEC=OFFICIAL] [SEC=PROTECTED]", ["official", "protected"]),
        ("Minutes [SEC=UNOFFICIAL]", [LabelResult.NO_LABEL]),
        ("Minutes [SEC=WHATEVER]", [LabelResult.GARBLED]),
        ("Minutes [SEC=]", [LabelResult.GARBLED]),
        ("Minutes [SEC=OFFICIAL", ["official"]),
        ("Minutes [SEC=OFFICIAL, CAV", [LabelResult.GARBLED]),
        ("Minutes SEC=PROTECTED [SECURE]", []),
        (f"[SEC=PROTECTED, CAVEAT={'x' * 2000}] Minutes", ["protected"]),
        ("[SEC=PROTECTED [x]]", [LabelResult.GARBLED]),
    ],
)
def test_a_tag_in_the_subject_is_read(subject: str, found: list[LabelResult | str]) -> None:
    assert results(f"Subject: {subject}") == found


def test_the_field_beats_the_subject() -> None:
    tag = "Subject: x [SEC=PROTECTED]\nX-Protective-Marking: "
    assert results(f"{tag}VER=2018.4, NS=gov.au, SEC=OFFICIAL") == ["official"]
    assert results(f"{tag}VER=2018.4, NS=gov.au, SEC=SOMETHING") == [LabelResult.GARBLED]


def test_a_field_that_says_nothing_of_ours_leaves_the_subject_to_speak() -> None:
    tag = "Subject: x [SEC=PROTECTED]\nX-Protective-Marking: "
    assert results(f"{tag}VER=2021.0, NS=else.example, SEC=1") == [LabelResult.NO_LABEL, "protected"]
    assert results(tag) == [LabelResult.NO_LABEL, "protected"]


def test_tags_leave_the_subject_only_on_request() -> None:
    subject = "x [sec=protected] y [sec=what]"
    removing = ProtectiveMarkingSource("gov.au", VALUES, remove=True)
    assert SOURCE.marks_in(subject) == ("[sec=protected]", "[sec=what]")
    assert (SOURCE.leaving(subject), removing.leaving(subject)) == ((), SOURCE.marks_in(subject))
    assert SOURCE.marks_in("[sec=a\ud800]") == ()
    assert SOURCE.levels == set(LEVELS)
    assert {label.source for label in labels(f"Subject: {subject}")} == {"protective marking"}


PIECE = st.sampled_from(
    ["VER=2018.4", "NS=gov.au", "SEC=", "OFFICIAL", ",", " ", "[SEC=", "]", ":", "=", "\\,", "\xe9"]
)


@given(st.lists(PIECE, max_size=12).map("".join), st.sampled_from(["X-Protective-Marking", "Subject"]))
def test_whatever_stands_there_gives_labels(text: str, name: str) -> None:
    made = Scan(fields=(Field(name, text.encode("latin-1")),), attachments=(), message_bytes=0, header_bytes=0)
    found = read_labels(made, (SOURCE,), LEVELS)
    assert all((label.result is LabelResult.LEVEL) == (label.level is not None) for label in found)


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        ("Subject: Minutes [SEC=OFFICIAL: Sensitive, about=Anna Smith]", "official:sensitive"),
        ("Subject: [SEC=UNOFFICIAL, about=Anna Smith]", "unofficial"),
        ("Subject: [SEC=WHATEVER, about Anna Smith]", "whatever"),
        (f"Subject: [SEC={'x' * 41}]", "x" * 40),
        ("Subject: [SEC=OFFICIAL, SEC=about Anna Smith]", ""),
        # An open end: what follows may be the rest of the subject.
        ("Subject: [SEC=OFFICIAL", "official"),
        ("Subject: [SEC=OFFICIAL Anna Smith, child protection", ""),
        ("Subject: [SEC=OFFICIAL, Anna Smith, child protection", ""),
        ("Subject: [SEC=OFFICIAL Anna Smith [12]", ""),
        ("X-Protective-Marking: VER=2018.4, NS=gov.au, SEC=OFFICIAL, ORIGIN=anna@smith.example", "official"),
        ("X-Protective-Marking: VER=2018.4, NS=gov.au, SEC=OFFICIAL, about Anna Smith", "official"),
        ("X-Protective-Marking: VER=2018.4, NS=gov.au, SEC=OFFICIAL [about Anna Smith]", "official"),
        ("X-Protective-Marking: NS=else.example, SEC=Anna, NOTE=about Anna Smith", ""),
        ("X-Protective-Marking: SEC=OFFICIAL, NOTE=about Anna Smith", "X-Protective-Marking"),
        ("X-Protective-Marking: about Anna Smith", "X-Protective-Marking"),
    ],
)
def test_of_a_marking_nothing_is_repeated_but_its_classification(header: str, raw: str) -> None:
    assert [label.raw for label in labels(header)] == [raw]


def test_many_pieces_are_put_together_once() -> None:
    # Put together piece by piece this takes minutes.
    text = "sec=" + "a," * 3_000_000
    assert split_pairs(text, ",") == [("sec", text.removeprefix("sec=").rstrip(","))]
