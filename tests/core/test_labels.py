"""Labels of our sources, in the forms that real mail carries them."""

import pytest

from gateway.core.facts import Label, LabelResult
from gateway.core.labels.base import MAX_LABELS, MAX_VALUE, LabelSource, read_labels
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.subject import SubjectSource
from tests.core.scanning import scan

LEVELS = ("public", "controlled", "restricted")
SENSITIVITY = HeaderSource(
    "Sensitivity",
    {"Company-Confidential": "restricted", "private": "restricted", "personal": "controlled", "normal": None},
)
MARKING = HeaderSource("X-Classification", {"Public": "public", "controlled": "controlled", "restricted": "restricted"})
MICROSOFT = HeaderSource("x-microsoft-classification", {"OFFICIAL-SENSITIVE": "restricted", "OFFICIAL": "controlled"})
SUBJECT = SubjectSource({"[OFFICIAL-SENSITIVE]": "restricted", "[SEC=OFFICIAL]": "controlled"})


def labels(header: str, *sources: LabelSource, levels: tuple[str, ...] = LEVELS) -> tuple[Label, ...]:
    return read_labels(scan(f"From: a@council.example\n{header}\n\nbody\n"), sources, levels)


def only(header: str, source: LabelSource) -> tuple[LabelResult, str | None]:
    (label,) = labels(header, source)
    return label.result, label.level


@pytest.mark.parametrize(
    ("header", "source", "level"),
    [
        ("Sensitivity: company-confidential", SENSITIVITY, "restricted"),
        ("Sensitivity: Company-Confidential", SENSITIVITY, "restricted"),
        ("Sensitivity: Company Confidential", SENSITIVITY, "restricted"),
        ("sensitivity: COMPANY_CONFIDENTIAL  ", SENSITIVITY, "restricted"),
        ("Sensitivity:\n company-confidential", SENSITIVITY, "restricted"),
        ("Sensitivity: Company\n  Confidential", SENSITIVITY, "restricted"),
        ("Sensitivity: Company\n\tConfidential", SENSITIVITY, "restricted"),
        ("Sensitivity: =?us-ascii?Q?Company=2DConfidential?=", SENSITIVITY, "restricted"),
        ("Sensitivity: =?utf-8?B?UHJpdmF0ZQ==?=", SENSITIVITY, "restricted"),
        ("SENSITIVITY:Personal", SENSITIVITY, "controlled"),
        ("X-Classification: PUBLIC", MARKING, "public"),
        ("x-microsoft-classified: true\nx-microsoft-classification: OFFICIAL-SENSITIVE", MICROSOFT, "restricted"),
        ("x-microsoft-classification: Official", MICROSOFT, "controlled"),
        ("Subject: [official-sensitive] Minutes", SUBJECT, "restricted"),
        ("Subject: Minutes [OFFICIAL-SENSITIVE]", SUBJECT, "restricted"),
        ("Subject: =?utf-8?q?=5BOFFICIAL-SENSITIVE=5D_caf=C3=A9?=", SUBJECT, "restricted"),
        ("Subject: =?utf-8?q?=5BOFFICIAL-?= =?utf-8?q?SENSITIVE=5D?= x", SUBJECT, "restricted"),
        ("Subject: \xe9 [Sec=Official]", SUBJECT, "controlled"),
    ],
)
def test_a_value_of_ours_names_its_level(header: str, source: LabelSource, level: str) -> None:
    assert only(header, source) == (LabelResult.LEVEL, level)


@pytest.mark.parametrize("header", ["Sensitivity:", "Sensitivity:   ", "Sensitivity:\n ", "Sensitivity: Normal"])
def test_an_empty_or_excluded_value_is_no_label(header: str) -> None:
    assert only(header, SENSITIVITY) == (LabelResult.NO_LABEL, None)


@pytest.mark.parametrize(
    "value",
    [
        "Secret",
        "CompanyConfidential",
        "private; really",
        '"private"',
        "private\x00",
        "priv\xe4te",
        "private\xa0",
        "private\xc2\xa0",
        "private\xe2\x80\x8b",
        "=?utf-8?q?private=1C?=",
        "=?utf-8?q??=",
        "=?utf-8?B?UHJ?=",
    ],
)
def test_a_value_that_our_source_does_not_know_is_garbled(value: str) -> None:
    assert only(f"Sensitivity: {value}", SENSITIVITY) == (LabelResult.GARBLED, None)


@pytest.mark.parametrize(
    "header",
    [
        "Importance: high",
        "X-Sensitivity: private",
        "X-Priority: 1",
        "Subject: OFFICIAL-SENSITIVE",
        "Subject: [OFFICIAL SENSITIVE]",
        "msip_labels:",
        'X-Protective-Marking: VER=2024.1, NS=gov.example, SEC=OFFICIAL:Sensitive, ORIGIN="a@b.example"',
    ],
)
def test_what_is_not_ours_is_nothing(header: str) -> None:
    assert labels(header, SENSITIVITY, MARKING, MICROSOFT, SUBJECT) == ()


def test_all_fields_and_sources_are_read_in_order() -> None:
    found = labels(
        "Sensitivity: private\nX-Classification: public\nSensitivity: odd\n"
        "Subject: [SEC=OFFICIAL] [official-sensitive]",
        MARKING,
        SENSITIVITY,
        SUBJECT,
    )
    assert [(label.source, label.raw, label.level) for label in found] == [
        ("header X-Classification", "public", "public"),
        ("header Sensitivity", "private", "restricted"),
        ("header Sensitivity", "odd", None),
        ("subject", "[official-sensitive]", "restricted"),
        ("subject", "[sec=official]", "controlled"),
    ]


def test_a_level_that_does_not_exist_is_garbled() -> None:
    (label,) = labels("Sensitivity: private", SENSITIVITY, levels=("public", "secret"))
    assert (label.result, label.level) == (LabelResult.GARBLED, None)


def test_what_stood_there_is_kept_short_and_printable() -> None:
    (label,) = labels(f"Sensitivity: a\x07{'b' * 200}", SENSITIVITY)
    assert label.raw == "a\ufffd" + "b" * 98


def test_spellings_of_one_value_must_agree() -> None:
    assert HeaderSource("X", {"a-b": "one", "A B": "one"}).values == {"a b": "one"}
    with pytest.raises(ValueError, match="twice"):
        HeaderSource("X", {"a-b": "one", "A_B": None})
    with pytest.raises(ValueError, match="twice"):
        SubjectSource({"[a  b]": "one", "[A B]": "two"})


def test_an_empty_value_or_mark_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="empty"):
        HeaderSource("X", {" - ": "one"})
    with pytest.raises(ValueError, match="empty"):
        SubjectSource({" ": "one"})


def test_more_labels_than_anybody_writes_are_garbled() -> None:
    found = labels("\n".join(["Sensitivity: personal"] * (MAX_LABELS + 5)), SENSITIVITY)
    assert len(found) == MAX_LABELS
    assert {label.level for label in found[:-1]} == {"controlled"}
    assert (found[-1].result, found[-1].level) == (LabelResult.GARBLED, None)


def test_as_many_labels_as_allowed_are_all_read() -> None:
    found = labels("\n".join(["Sensitivity: personal"] * (MAX_LABELS - 1)), SENSITIVITY)
    assert {label.level for label in found} == {"controlled"}


def test_a_value_longer_than_any_label_is_garbled() -> None:
    fits = "private" + " " * (MAX_VALUE - 8) + "x"
    assert only(f"Sensitivity: private{' ' * 1000}", SENSITIVITY) == (LabelResult.LEVEL, "restricted")
    assert len(fits) == MAX_VALUE
    values = HeaderSource("X", {fits: "restricted"})
    assert only(f"X: {fits}", values) == (LabelResult.LEVEL, "restricted")
    assert only(f"X: {fits.replace('x', ' x')}", values) == (LabelResult.GARBLED, None)


def test_sources_say_their_origin_their_levels_and_which_marks_leave() -> None:
    removing = SubjectSource(SUBJECT.marks, remove=True)
    assert (SENSITIVITY.origin, SUBJECT.origin) == ("header Sensitivity", "subject")
    assert (SENSITIVITY.levels, SUBJECT.levels) == ({"restricted", "controlled"}, {"restricted", "controlled"})
    subject = "[sec=official] minutes"
    assert (SENSITIVITY.marks_in(subject), SENSITIVITY.leaving(subject)) == ((), ())
    assert (SUBJECT.marks_in(subject), SUBJECT.leaving(subject)) == (("[sec=official]",), ())
    assert removing.leaving(subject) == ("[sec=official]",)
