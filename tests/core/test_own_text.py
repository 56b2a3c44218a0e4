"""The text that goes with a notification is what a person wrote: decoded, in lines, and not without end."""

import base64

import pytest

from gateway.core.own_text import MOST_READ, MOST_TEXT, own_lines

HEAD = b"From: officer@council.example\r\nMIME-Version: 1.0\r\n"


def part(kind: str, content: bytes, more: str = "") -> bytes:
    return f"--b\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + content + b"\r\n"


def multipart(kind: str, *parts: bytes) -> bytes:
    return HEAD + f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n".encode() + b"".join(parts) + b"--b--\r\n"


PLAIN = part("text/plain; charset=utf-8", b"Dear Ann,\r\n\r\n  one    two \x07\r\n\r\n")
HTML = part("text/html; charset=utf-8", b"<p>Dear <b>Ann</b>,</p><p>one</p>")
FILE = part("text/plain", b"the file", "Content-Disposition: attachment; filename=x.txt\r\n")


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        (HEAD + b"\r\nHello\r\nyou\r\n", ("Hello", "you")),
        (multipart("alternative", PLAIN, HTML), ("Dear Ann,", "", "  one    two")),
        (multipart("mixed", HTML, FILE), ("Dear Ann,", "one")),
        (multipart("mixed", FILE), ()),
        (HEAD + b"\r\n", ()),
        (
            HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode("Grüße\u202e!".encode()) + b"\r\n",
            ("Grüße !",),
        ),
        (multipart("mixed", PLAIN, FILE)[:-20], ("Dear Ann,", "", "  one    two")),
    ],
)
def test_it_is_what_stands_there(message: bytes, lines: tuple[str, ...]) -> None:
    assert own_lines(message) == lines


def test_it_ends() -> None:
    long = own_lines(HEAD + b"\r\n" + b"x" * (MOST_TEXT + 10))
    assert long == ("x" * MOST_TEXT,)
    assert own_lines(multipart("mixed", part("image/png", b"x" * MOST_READ), PLAIN)) == ()


def test_what_is_too_complex_has_none() -> None:
    assert own_lines(HEAD + b"X: y\r\n" * 3000 + b"\r\nHello\r\n") == ()
