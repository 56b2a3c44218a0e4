"""The scan as a whole: attached files, exact sizes, nesting, limits, and messages two readers divide differently."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.boundaries import Window
from gateway.core.defect import Defect, repeated
from gateway.core.facts import Attachment, Part
from gateway.core.scan import ScanLimits, Scanner, TooComplex
from gateway.core.subject import MAX_SUBJECT
from tests.core.scanning import crlf, encoded, multipart, named, scan, scan_bytes

TEXT = "Content-Type: text/plain\n\nHello.\n"


def test_a_plain_message_has_fields_sizes_and_one_part() -> None:
    message = crlf("From: a@council.example\nSubject: one\n two\n\nHello.\n")
    found = scan_bytes(message)
    assert [(field.name, field.value) for field in found.fields] == [
        ("From", b"a@council.example"),
        ("Subject", b"one two"),
    ]
    assert message[found.header_bytes :] == b"Hello.\r\n"
    assert found.message_bytes == len(message)
    assert found.parts == (Part(type="text/plain", method="", attached=False),)
    assert (found.attachments, found.defects, found.eight_bit) == ((), (), False)


def test_attached_files_are_found_with_name_type_and_decoded_size() -> None:
    found = scan(
        multipart(
            TEXT,
            named("a.pdf", b"x" * 1000),
            "Content-Type: text/csv; name=b.csv\nContent-Transfer-Encoding: quoted-printable\n\na=3Db=\nc\n",
            "Content-Type: image/png\n\n1234567\n",
            'Content-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64\n\nQUJDRA==\n',
        )
    )
    assert found.attachments == (
        Attachment(name="a.pdf", type="application/pdf", bytes=1000),
        Attachment(name="b.csv", type="text/csv", bytes=len("a=bc\r\n")),
        Attachment(name="", type="image/png", bytes=len("1234567\r\n")),
        Attachment(name="winmail.dat", type="application/ms-tnef", bytes=4),
    )
    assert found.attachment_bytes == 1000 + 6 + 9 + 4
    assert [part.type for part in found.parts][:3] == ["multipart/mixed", "text/plain", "application/pdf"]
    assert found.defects == ()


def test_the_line_end_before_a_boundary_is_not_the_files() -> None:
    body = "Content-Type: application/x-raw\n\nabc"
    assert scan(multipart(body)).attachment_bytes == 3


@pytest.mark.parametrize("size", [13_631_487, 13_631_488, 13_631_489])
def test_thirteen_mebibytes_are_exact(size: int) -> None:
    scanner = Scanner()
    data = base64.encodebytes(bytes(size)).replace(b"\n", b"\r\n")
    head, tail = crlf(multipart(TEXT, named("a.bin", b"", type_="application/octet-stream"))).rsplit(b"--b--", 1)
    for block in (head, data, b"\r\n--b--", tail):
        scanner.feed(block)
    assert scanner.close().attachment_bytes == size


def test_an_attached_message_counts_whole_and_once() -> None:
    inner = multipart(TEXT, named("inner.pdf", b"y" * 500), boundary="inner")
    found = scan(multipart(TEXT, f"Content-Type: message/rfc822\n\n{inner}"))
    assert found.attachments == (Attachment(name="", type="message/rfc822", bytes=len(crlf(inner))),)


def test_the_parts_of_a_digest_are_messages() -> None:
    found = scan(multipart("\nFrom: x\n\nhello\n", "Content-Type: text/plain\n\nno\n", kind="digest"))
    assert [file.type for file in found.attachments] == ["message/rfc822"]


def test_nested_multiparts_are_followed_in_and_out() -> None:
    related = multipart("Content-Type: text/html\n\nhi\n", named("deep.png"), boundary="rel", kind="related", head="")
    alternative = multipart(TEXT, related, boundary="alt", kind="alternative", head="")
    found = scan(multipart(alternative, named("outer.pdf")))
    assert [file.name for file in found.attachments] == ["deep.png", "outer.pdf"]
    assert found.defects == ()


def test_an_outer_boundary_ends_the_inner_parts() -> None:
    inner = 'Content-Type: multipart/mixed; boundary="in"\n\n--in\nContent-Type: a/b; name=one\n\n123'
    found = scan(multipart(inner, "Content-Type: a/b; name=two\n\n45"))
    assert [(file.name, file.bytes) for file in found.attachments] == [("one", 3), ("two", 2)]


def test_text_in_an_attached_multipart_is_attached() -> None:
    inner = multipart("\nfirst\n", boundary="in", head="Content-Disposition: attachment\n")
    found = scan(multipart(inner, TEXT))
    assert [file.type for file in found.attachments] == ["text/plain"]


def test_an_attached_file_as_the_whole_message_counts() -> None:
    found = scan("Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\n")
    assert found.attachments == (Attachment(name="a.pdf", type="application/pdf", bytes=3),)


def test_a_message_without_closing_boundary_ends_its_last_part() -> None:
    message = crlf(multipart(TEXT, "Content-Type: a/b\n\nabc")).removesuffix(b"--b--\r\n")
    assert scan_bytes(message).attachment_bytes == 5
    assert scan_bytes(message).defects == ()


def test_a_closing_boundary_needs_no_line_end() -> None:
    message = crlf(multipart(TEXT, "Content-Type: a/b\n\nabc")).removesuffix(b"\r\n")
    assert scan_bytes(message).attachment_bytes == 3


@pytest.mark.parametrize(
    ("part", "size"),
    [
        ("", 0),
        ("\n", 0),
        ("Content-Type: a/b\n\n", 0),
        ("Content-Type: a/b\n\n\n", 0),
        ("Content-Type: a/b\n\n\n\n", 2),
    ],
)
def test_empty_parts_are_parts(part: str, size: int) -> None:
    # One line end belongs to the boundary behind it, and the empty line's own may serve.
    message = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{part}--b\nContent-Type: c/d\n\nxyz\n--b--\n"
    found = scan(message)
    assert found.attachment_bytes == size + 3
    assert len(found.parts) == 3
    assert found.defects == ()


def test_preamble_epilogue_and_dashes_in_text_are_harmless() -> None:
    body = "preamble\n-- \n--a\n--b\n\n-- \nJane\n--a\n--b-- \t\nepilogue\n--b--\n"
    found = scan(f"Content-Type: multipart/mixed; boundary=b\n\n{body}")
    assert (len(found.parts), found.defects) == (2, ())


@pytest.mark.parametrize(
    ("encoding", "html"),
    [
        ("7bit", '<img src="cid:logo@x">'),
        ("8bit", '\xe9<img src="cid:logo@x">'),
        ("quoted-printable", '<img src=3D"cid:lo=\ngo@x">'),
        ("base64", encoded(b'<img src="cid:logo@x">')),
    ],
)
@pytest.mark.parametrize("picture_first", [False, True])
def test_a_picture_that_the_html_shows_does_not_count(encoding: str, html: str, picture_first: bool) -> None:
    text = f"Content-Type: text/html\nContent-Transfer-Encoding: {encoding}\n\n{html}\n"
    logo = "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\n123\n"
    other = "Content-Type: image/png; name=other.png\nContent-ID: <other@x>\n\n1234\n"
    parts = (logo, other, text) if picture_first else (text, logo, other)
    found = scan(multipart(*parts, kind="related"))
    assert [file.name for file in found.attachments] == ["other.png"]


def test_an_attached_html_file_shows_nothing() -> None:
    page = 'Content-Type: text/html; name=page.html\n\n<img src="cid:logo@x">\n'
    logo = "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\n123\n"
    assert [file.name for file in scan(multipart(page, logo)).attachments] == ["page.html", "logo.png"]


def test_calendar_parts_are_told_with_their_method() -> None:
    found = scan(multipart(TEXT, "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n"))
    assert found.parts[2] == Part(type="text/calendar", method="REQUEST", attached=False)
    assert found.attachments == ()


@pytest.mark.parametrize("where", ["Subject: \xe9\n\nbody\n", "Subject: e\n\nbod\xff\n"])
def test_a_byte_above_127_anywhere_is_told(where: str) -> None:
    assert scan(where).eight_bit
    assert not scan("Subject: e\n\nbody\n").eight_bit


# What two readers could divide differently.


@pytest.mark.parametrize(
    ("message", "defect"),
    [
        ("", Defect.NO_FIELDS),
        ("\nFrom: a\n\nbody\n", Defect.NO_FIELDS),
        ("From: a\nSubject: b\n", Defect.NO_END),
        ("From: a", Defect.NO_END),
        (multipart("Content-Type: a/b\n").replace("a/b\n\n", "a/b\n"), Defect.NO_END),
        ("From: a\nFrom: b\n\nbody\n", repeated("From")),
        (multipart("Content-Type: a/b\nContent-Type: c/d\n\nx\n"), repeated("Content-Type")),
        (multipart("Content-Type : a/b\n\nx\n"), Defect.NAME_SPACE),
        (multipart("no header here\n\nx\n"), Defect.NO_COLON),
        (multipart("\nx\n--bcd\ny\n"), Defect.BOUNDARY_LOOKALIKE),
        (multipart("\nx\n--b " + " " * 200 + "\ny\n"), Defect.BOUNDARY_LOOKALIKE),
        (multipart("\nx\n") + "--b\nContent-Type: a/b\n\nhidden\n", Defect.BEHIND_LAST),
        (multipart(multipart(TEXT, boundary="b", head="")), Defect.BOUNDARY_PREFIX),
        (multipart(multipart(TEXT, boundary="bc", head="")), Defect.BOUNDARY_PREFIX),
        (multipart(multipart(TEXT, boundary="b", head=""), boundary="bc"), Defect.BOUNDARY_PREFIX),
        ("Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", Defect.BOUNDARY_MISSING),
    ],
)
def test_a_message_that_two_readers_divide_differently_is_defective(message: str, defect: str) -> None:
    assert defect in scan(message).defects


def test_a_subject_longer_than_anybody_reads_is_cut_and_defective() -> None:
    fits = scan(f"Subject: {'a' * MAX_SUBJECT}\n\nbody\n")
    assert (fits.defects, fits.values("Subject")) == ((), (b"a" * MAX_SUBJECT,))
    longer = scan(f"Subject: {'a' * MAX_SUBJECT}b\n\nbody\n")
    assert (longer.defects, longer.values("Subject")) == ((Defect.SUBJECT_LONG,), (b"a" * MAX_SUBJECT,))


def test_a_boundary_behind_a_bare_line_feed_is_defective() -> None:
    message = crlf(multipart("\nx\nQ\ny\n")).replace(b"\r\nQ\r\n", b"\n--b\r\n")
    assert scan_bytes(message).defects == (Defect.BOUNDARY_LOOKALIKE,)


def test_a_part_behind_the_last_boundary_counts() -> None:
    found = scan(multipart("\nx\n") + "--b\nContent-Type: a/b\n\nhidden")
    assert found.attachment_bytes == 6


def test_siblings_may_have_alike_boundaries() -> None:
    first, second = (multipart(TEXT, boundary=name, head="") for name in ("in", "inn"))
    assert scan(multipart(first, second)).defects == ()


# Limits.

SMALL = ScanLimits(header_bytes=1024, fields=5, parts=4, depth=2)


@pytest.mark.parametrize(
    ("fits", "breaks", "word"),
    [
        (f"A: {'x' * 1019}\n\n", f"A: {'x' * 1020}\n\n", "larger than 1 KiB"),
        ("A: 1\n" * 5 + "\n", "A: 1\n" * 6 + "\n", "more than 5 fields"),
        (multipart(*["\nx\n"] * 3), multipart(*["\nx\n"] * 4), "more than 4 parts"),
        (
            multipart(multipart(TEXT, boundary="in", head="")),
            multipart(multipart(multipart(TEXT, boundary="x", head=""), boundary="in", head="")),
            "nested more than 2 deep",
        ),
    ],
)
def test_a_message_past_a_limit_is_too_complex_and_stays_so(fits: str, breaks: str, word: str) -> None:
    scan(fits, SMALL)
    scanner = Scanner(SMALL)
    scanner.feed(crlf(breaks))
    for attempt in (scanner.close, lambda: scanner.feed(b"more"), scanner.close):
        with pytest.raises(TooComplex, match=word) as raised:
            attempt()
        assert raised.value.reason == str(raised.value)


def test_folded_lines_are_no_fields() -> None:
    scan("To: a,\n b,\n\tc,\n d,\n e,\n f\n\nx\n", SMALL)


def test_a_lookalike_counts_as_a_part() -> None:
    scan(multipart("\nx\n--bc\n--bc\n"), SMALL)
    with pytest.raises(TooComplex):
        scan(multipart("\nx\n--bc\n--bc\n--bc\n"), SMALL)


@pytest.mark.parametrize(
    "message",
    [
        b"X" * 10_000_000,
        b"Subject: " + b"x" * 10_000_000 + b"\r\n\r\n",
        b"X-Field: 1\r\n" * 900_000,
        crlf(multipart(*["\nx\n"] * 10_000)),
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(1000, 1500)),
    ],
)
def test_a_monstrous_message_is_refused_early(message: bytes) -> None:
    scanner = Scanner()
    with pytest.raises(TooComplex):
        for at in range(0, len(message), 50_000):
            scanner.feed(message[at : at + 50_000])
        scanner.close()
    assert len(scanner._pending) + len(scanner._window.data) < 500_000


def test_an_endless_body_line_is_not_kept() -> None:
    scanner = Scanner()
    scanner.feed(crlf(multipart("\nx")).removesuffix(b"--b--\r\n"))
    for _ in range(100):
        scanner.feed(b"y" * 65536)
    assert len(scanner._pending) + len(scanner._window.data) < 200_000


# The cut of the stream.

PIECES = st.sampled_from(
    [
        "--b", "--bb", "--", "\r\n", "\r", "\n", " ", "b", "x", ":", "=3D", "=", "QUJD", "\x00", "\xff",
        '<img src="cid:i">',
        'Content-Type: multipart/mixed; boundary="b"\r\n', 'Content-Type: multipart/mixed; boundary="bb"\r\n',
        "Content-Type: a/b; name=n\r\n", "Content-Transfer-Encoding: base64\r\n", "Content-Type: text/html\r\n",
        "Content-Type: image/png\r\nContent-ID: <i>\r\n", "\r\n--b\r\n", "\r\n--bb\r\n", "\r\n--b--\r\n", "\r\n\r\n",
    ]
)  # fmt: skip
MESSAGES = st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode("latin-1"))


@given(message=MESSAGES, cuts=st.lists(st.integers(1, 60), max_size=30))
def test_any_split_gives_the_same_scan(message: bytes, cuts: list[int]) -> None:
    whole, split = Scanner(), Scanner()
    whole.feed(message)
    rest = message
    for cut in cuts:
        split.feed(rest[:cut])
        rest = rest[cut:]
    split.feed(rest)
    assert split.close() == whole.close()


@settings(max_examples=300)
@given(message=MESSAGES, block=st.integers(1, 40))
def test_the_size_of_the_window_does_not_matter(message: bytes, block: int) -> None:
    whole, stepped = Scanner(), Scanner()
    for at in range(0, len(message), block):
        stepped._advance(message[at : at + block], final=False)
    whole.feed(message)
    assert stepped.close() == whole.close()


def test_a_line_behind_a_header_is_judged_once_that_header_is_read() -> None:
    inner = 'Content-Type: multipart/mixed; boundary="bb"\n\n--bb\n\nx\n--bb--'
    message = crlf(multipart(inner))
    stepped = Scanner()
    for at in range(len(message)):
        stepped._advance(message[at : at + 1], final=False)
    assert stepped.close() == scan_bytes(message)
    assert scan_bytes(message).defects == (Defect.BOUNDARY_PREFIX,)


def test_a_boundary_across_two_blocks_is_found() -> None:
    for shift in range(60):
        body = "x" * (65536 - 150 + shift)
        message = crlf(multipart(f"Content-Type: a/b\n\n{body}", "Content-Type: c/d\n\n123"))
        found = scan_bytes(message)
        assert [file.bytes for file in found.attachments] == [len(body), 3]
        assert found.defects == ()


def test_one_byte_at_a_time_is_the_same_message() -> None:
    message = crlf(multipart(TEXT, named("a.pdf", bytes(100_000))))
    scanner = Scanner()
    for at in range(len(message)):
        scanner.feed(message[at : at + 1])
    assert scanner.close() == scan_bytes(message)


def test_a_window_knows_its_end() -> None:
    assert Window(b"abc", 10, final=False).end == 13
