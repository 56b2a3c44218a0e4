"""Header blocks: fields as they stand, and what two readers could read differently."""

import pytest

from gateway.core.defect import Defect, repeated
from gateway.core.facts import Field
from gateway.core.header import is_control, read_header
from tests.core.scanning import crlf


def test_fields_are_unfolded_in_order_with_their_white_space_kept() -> None:
    block = crlf("Subject: one\n two\n\tthree \nX-Empty:\nTo:  a@b.example  \nSUBJECTS: x\n")
    header = read_header(block)
    assert header.fields == (
        Field("Subject", b"one two\tthree"),
        Field("X-Empty", b""),
        Field("To", b"a@b.example"),
        Field("SUBJECTS", b"x"),
    )
    assert header.defects == ()


def test_a_last_line_without_line_end_is_a_field() -> None:
    assert read_header(b"A: 1\r\nB: 2").fields == (Field("A", b"1"), Field("B", b"2"))


def test_an_empty_block_has_nothing() -> None:
    assert read_header(b"").fields == ()
    assert read_header(b"").defects == ()


@pytest.mark.parametrize(
    ("block", "defect"),
    [
        ("A: 1\nno colon here\nB: 2\n", Defect.NO_COLON),
        ("A: 1\n\nB: 2\n", Defect.NO_COLON),
        ("A: 1\nSensitivity : Private\nB: 2\n", Defect.NAME_SPACE),
        ("A: 1\nSensitivity\t: Private\nB: 2\n", Defect.NAME_SPACE),
        ("A: 1\n: Private\nB: 2\n", Defect.NAME),
        ("A: 1\nMy Label: Private\nB: 2\n", Defect.NAME),
        ("A: 1\nSensitivit\xff: Private\nB: 2\n", Defect.NAME),
        ("\xef\xbb\xbfA: 1\nB: 2\n", Defect.NAME),
        ("From jane@council.example Mon Jan  1 10:00:00 2024\nB: 2\n", Defect.NAME),
        (" Sensitivity: Private\nB: 2\n", Defect.LEADING_CONTINUATION),
        ("\tfolded\nB: 2\n", Defect.LEADING_CONTINUATION),
        ("A: 1\n \t\nB: 2\n", Defect.BLANK_CONTINUATION),
        ("A: 1\x00\nB: 2\n", Defect.CONTROL),
        ("A: 1\x1b[2J\nB: 2\n", Defect.CONTROL),
        ("A: 1\x7f\nB: 2\n", Defect.CONTROL),
        ("A: 1\x0bX: 3\nB: 2\n", Defect.CONTROL),
        ("A: 1\rSensitivity: Private\nB: 2\n", Defect.BARE_LINE_END),
    ],
)
def test_what_two_readers_read_differently_is_named(block: str, defect: Defect) -> None:
    header = read_header(crlf(block))
    assert defect in header.defects
    assert header.fields[-1] == Field("B", b"2")


def test_a_bare_line_feed_is_named() -> None:
    assert read_header(b"A: 1\nSensitivity: Private\r\nB: 2\r\n").defects == (Defect.BARE_LINE_END,)


def test_a_defective_field_is_read_all_the_same() -> None:
    header = read_header(b"X-Sealpost-Intent : encrypted\r\nB: 2\r\n")
    assert header.fields[0] == Field("X-Sealpost-Intent", b"encrypted")


@pytest.mark.parametrize(
    "name",
    ["From", "Sender", "Subject", "Sensitivity", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"],
)
def test_a_field_that_may_stand_once_and_stands_twice_is_named(name: str) -> None:
    twice = read_header(f"{name}: 1\r\nTo: x\r\n{name.upper()}: 1\r\n".encode())
    assert twice.defects == (repeated(name),)
    assert read_header(f"{name}: 1\r\nTo: x\r\n".encode()).defects == ()


def test_three_of_a_kind_are_named_once_and_both_kinds_are_named() -> None:
    header = read_header(b"Subject: 1\r\nFrom: a\r\nSubject: 2\r\nFrom: b\r\nSubject: 3\r\n")
    assert header.defects == (repeated("Subject"), repeated("From"))


@pytest.mark.parametrize(
    "block",
    [
        "Received: a\nReceived: b\nTo: x\nTo: y\nMessage-ID: <1>\nMessage-ID: <2>\n",
        "Subject: caf\xc3\xa9 \xe9\nFrom: a\n",
        f"Subject: {'long ' * 400}\nFrom: a\n",
        "Subject:no space\nX_odd!name~: fine\n",
        "Subject: a\n \ttwo blanks before the text\n",
    ],
)
def test_ordinary_mail_is_not_defective(block: str) -> None:
    assert read_header(crlf(block)).defects == ()


def test_control_fields_are_known_by_their_prefix_in_any_case() -> None:
    assert is_control("X-Sealpost-Hop")
    assert is_control("x-sEALPOST-iNTENT")
    assert not is_control("X-Sealpost")
    assert not is_control("My-X-Sealpost-Hop")
