"""The text that is kept for detectors: which parts, how much, in which charset."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Scan, Text
from gateway.core.scan import Scanner
from gateway.core.texts import beginnings
from tests.core.scanning import crlf, multipart, named

PLAIN = "Content-Type: text/plain; charset=utf-8\n\nHello.\n"
HTML = (
    "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p id=3Dx>Hello=\n.</p>\n"
)


def scan(message: str | bytes, text_bytes: int = 1000) -> Scan:
    scanner = Scanner(text_bytes=text_bytes)
    scanner.feed(crlf(message))
    return scanner.close()


def test_plain_text_and_html_are_kept_decoded_and_in_order() -> None:
    found = scan(multipart(PLAIN, HTML, "Content-Type: text/calendar\n\nBEGIN\n", kind="alternative"))
    assert found.texts == (Text("text/plain", "Hello.\r\n"), Text("text/html", "<p id=x>Hello.</p>\n"))


def test_a_message_without_a_type_is_plain_text() -> None:
    assert scan("From: a\n\nHello.\n").texts == (Text("text/plain", "Hello.\r\n"),)


def test_attached_text_is_a_file_and_no_text() -> None:
    attached = "Content-Type: text/plain\nContent-Disposition: attachment\n\nsecret\n"
    found = scan(multipart(PLAIN, attached, named("page.html", b"<p>", type_="text/html"), HTML))
    assert [text.type for text in found.texts] == ["text/plain", "text/html"]
    assert len(found.attachments) == 2


def test_nothing_is_kept_unless_it_is_asked_for_and_pictures_are_known_all_the_same() -> None:
    html = 'Content-Type: text/html\n\n<img src="cid:logo@x">\n'
    logo = "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\n123\n"
    for text_bytes, kept in ((0, 0), (100, 1)):
        found = scan(multipart(html, logo, kind="related"), text_bytes)
        assert (len(found.texts), found.attachments) == (kept, ())


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("; charset=utf-8", "Zoë".encode(), "Zoë"),
        ("; charset=iso-8859-1", b"Zo\xeb", "Zoë"),
        ("; charset=windows-1252", b"\x80 5", "€ 5"),
        ('; charset="utf-16"', "Zoë".encode("utf-16"), "Zoë"),
        ("", "Zoë".encode(), "Zoë"),
        ("; charset=us-ascii", "Zoë".encode(), "Zoë"),
        ("", b"Zo\xeb!", "Zoë!"),
        ("; charset=x-unknown", b"Zo\xeb", "Zoë"),
        ("; charset=utf-8", b"Zo\xeb", "Zo\ufffd"),
    ],
)
def test_text_is_read_in_its_charset(charset: str, data: bytes, text: str) -> None:
    head = f"Content-Type: text/plain{charset}\nContent-Transfer-Encoding: base64\n\n"
    assert scan(head.encode() + base64.encodebytes(data)).texts == (Text("text/plain", text),)


def test_a_character_that_the_limit_cuts_makes_no_other_charset() -> None:
    assert scan(b"From: a\n\n" + "aëë".encode(), 4).texts == (Text("text/plain", "aë"),)


def test_of_long_texts_the_beginnings_are_kept() -> None:
    parts = [
        f"Content-Type: text/{kind}\n\n{letter * 600}\n"
        for kind, letter in (("plain", "a"), ("html", "b"), ("plain", "c"))
    ]
    found = scan(multipart(*parts), 1000)
    assert found.texts == (Text("text/plain", "a" * 500), Text("text/html", "b" * 500))


PLAINS, HTMLS = (
    st.lists(st.builds(Text, st.just(kind), st.text(max_size=30)), max_size=3) for kind in ("text/plain", "text/html")
)


@given(texts=st.tuples(PLAINS, HTMLS), limit=st.integers(0, 60))
def test_the_limit_is_kept_and_used_and_each_type_has_its_half(
    texts: tuple[list[Text], list[Text]], limit: int
) -> None:
    plain, html = texts
    cut = beginnings([*plain, *html], limit)
    lengths = {kind: sum(len(text.text) for text in cut if text.type == kind) for kind in ("text/plain", "text/html")}
    wanted = {"text/plain": sum(len(text.text) for text in plain), "text/html": sum(len(text.text) for text in html)}
    assert sum(lengths.values()) == min(limit, sum(wanted.values()))
    assert all(lengths[kind] >= min(wanted[kind], limit // 2) for kind in wanted)
    assert "".join(text.text for text in plain).startswith(
        "".join(text.text for text in cut if text.type == "text/plain")
    )


@given(
    data=st.binary(max_size=60),
    charset=st.sampled_from(["utf-7", "utf-16", "iso-2022-jp", "hz-gb-2312", "x", ""]),
    limit=st.integers(1, 70),
)
def test_no_bytes_in_any_charset_break_it(data: bytes, charset: str, limit: int) -> None:
    head = f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    found = scan(head.encode() + base64.encodebytes(data), limit)
    assert all(text.type == "text/html" for text in found.texts)


def test_long_text_is_not_kept_beyond_the_limit() -> None:
    scanner = Scanner(text_bytes=1000)
    scanner.feed(b"From: a\r\n\r\n")
    for _ in range(100):
        scanner.feed(b"x" * 100_000)
    kept = scanner._parts.texts._parts
    assert [len(part.kept) for part in kept] == [1000]
    assert scanner.close().texts == (Text("text/plain", "x" * 1000),)
