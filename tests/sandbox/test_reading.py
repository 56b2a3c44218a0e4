"""The inbox page can show anything that arrives."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.reading import MAX_TEXT, UNREADABLE, read_message, subject_of

REPORT = b"""\
Subject: =?utf-8?q?Not_sent=3A_caf=C3=A9?=
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain; charset=utf-8

What to do first.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; gateway.council.example

Final-Recipient: rfc822; bob@plain.example
Action: failed

--b
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64

AAAA
--b
Content-Type: message/rfc822

Subject: inner
X-Inner: yes

Inner text
--b--
""".replace(b"\n", b"\r\n")


def test_a_report_shows_its_text_its_fields_and_what_it_returns() -> None:
    reading = read_message(REPORT)
    assert subject_of(REPORT) == "Not sent: café"
    assert reading.fields[0] == ("Subject", "=?utf-8?q?Not_sent=3A_caf=C3=A9?=")
    kinds = [(part.type, part.name) for part in reading.parts]
    assert kinds == [
        ("text/plain", ""),
        ("message/delivery-status", ""),
        ("application/pdf", "a.pdf"),
        ("message/rfc822", ""),
    ]
    text, status, pdf, returned = reading.parts
    assert text.text is not None
    assert text.text.strip() == "What to do first."
    assert status.text is not None
    assert "Final-Recipient: rfc822; bob@plain.example" in status.text
    assert (pdf.size, pdf.text) == (3, None)
    assert returned.text is not None
    assert "X-Inner: yes" in returned.text
    assert "Inner text" in returned.text


def test_text_is_cut_and_an_unknown_charset_does_not_hide_the_rest() -> None:
    (part,) = read_message(b"Content-Type: text/plain\r\n\r\n" + b"x" * (MAX_TEXT + 1)).parts
    assert part.text == "x" * MAX_TEXT
    assert part.size == MAX_TEXT + 1
    (odd,) = read_message(b"Content-Type: text/plain; charset=nonsense\r\nX: y\r\n\r\ntext").parts
    assert (odd.text, odd.size) == (UNREADABLE, 4)


def test_bytes_that_are_no_text_can_be_written_into_a_page() -> None:
    reading = read_message(b"X-Odd: \xff\xfe\r\n\r\n\xff")
    assert reading.fields[0][1].encode()
    assert all(part.text and part.text.encode() for part in reading.parts)


PIECES = st.sampled_from(
    [
        *(
            b"Content-Type: ",
            b"multipart/mixed; boundary=b",
            b"message/rfc822",
            b"text/plain; charset=",
            b"\r\n",
            b"\r\n\r\n",
        ),
        *(
            b"--b",
            b"--b--",
            b"Subject: ",
            b"=?utf-8?b?",
            b"?=",
            b'filename*0*="',
            b"Content-Disposition: ",
            b"\xff",
            b";",
            b"=",
        ),
        *(b"Content-Transfer-Encoding: base64", b"message/delivery-status", b"a", b'"', b" "),
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=200))
def test_nothing_that_arrives_breaks_the_page(message: bytes) -> None:
    reading = read_message(message)
    shown = [subject_of(message), *(value for _, value in reading.fields)]
    shown += [text for part in reading.parts for text in (part.name, part.type, part.text or "")]
    assert all(text.encode() is not None for text in shown)
