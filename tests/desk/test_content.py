"""Content for somebody who may see it: all of the text, nothing but text, and no more than fits."""

import time

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Attachment
from gateway.desk.content import Shown, printable, show


def shown(body: bytes, head: bytes = b"", size: int = 0, files: tuple[Attachment, ...] = ()) -> Shown:
    message = b"Subject: =?utf-8?q?caf=C3=A9?= \xe2\x80\xae\r\n" + head + b"\r\n" + body
    found = show(message, size or len(message), files)
    assert found is not None
    return found


def html(text: str) -> tuple[str, ...]:
    return shown(text.encode(), b"Content-Type: text/html; charset=utf-8\r\n").texts


def test_subject_text_and_files_names_are_shown() -> None:
    files = (Attachment(name="a\u202egpj.exe", type="image/jpeg", bytes=2048), Attachment(name="", type="x/y", bytes=1))
    found = shown(b"Dear all,\r\n> quoted\r\n\x1b[31mred\r\n", files=files)
    assert found.subject == "café \N{REPLACEMENT CHARACTER}"
    assert found.texts == ("Dear all,\n> quoted\n\N{REPLACEMENT CHARACTER}[31mred",)
    assert "\u202e" not in found.files[0] and found.files[0].startswith(
        "a\N{REPLACEMENT CHARACTER}gpj.exe (image/jpeg, "
    )
    assert found.files[1].startswith("without a name (x/y, ")
    assert not found.cut


def test_html_is_its_text_with_what_it_hides_and_quotes() -> None:
    text = (
        "<style>p { color: red }</style><script>alert(1)</script><title>T</title>"
        "<p>one <b>bold</b>&lt;br&gt;</p><p style='display:none'>hidden</p><blockquote>quoted</blockquote><p>cut"
    )
    assert html(text) == ("T\none bold<br>\nhidden\nquoted\ncut",)
    assert html("</style>seen</script>") == ("seen",)


def test_all_parts_are_shown() -> None:
    head = b'Content-Type: multipart/alternative; boundary="b"\r\n'
    body = b"--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>other\r\n--b--\r\n"
    assert shown(body, head).texts == ("plain", "other")


def test_what_is_cut_is_said_to_be() -> None:
    assert shown(b"x" * 70_000).cut and len(shown(b"x" * 70_000).texts[0]) == 64 * 1024
    assert shown(b"short", size=10_000_000).cut
    assert not shown(b"x" * 60_000).cut


def test_what_is_past_the_scans_limits_is_not_shown() -> None:
    assert show(b"A: b\r\n" * 3000 + b"\r\n", 1, ()) is None


@given(st.text(max_size=200))
def test_only_what_can_be_printed_stays(text: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in printable(text))


def test_strange_markup_takes_no_long_time() -> None:
    before = time.process_time()
    for strange in ("<" * 60_000, "<a " * 20_000, "&#" * 30_000, "<!--" * 15_000, "<![CDATA[" * 7_000, "</" * 30_000):
        html(strange)
    assert time.process_time() - before < 5


def test_cut_text_beyond_ascii_is_said_to_be() -> None:
    assert shown("€".encode() * 30_000, b"Content-Type: text/plain; charset=utf-8\r\n").cut
