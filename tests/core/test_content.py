"""The digest of what a message says: what changes it, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.content import Content

MESSAGE = b"From: a@b.example\r\nSubject: Plan\r\nMessage-ID: <1@b.example>\r\n\r\nThe body.\r\n\r\nMore.\r\n"
SENDER = "a@b.example"


def digest(message: bytes, sender: str = SENDER, size: int = 1 << 20) -> bytes:
    content = Content()
    for start in range(0, len(message), size):
        content.feed(message[start : start + size])
    return content.digest(sender)


@pytest.mark.parametrize(
    "other",
    [
        MESSAGE.replace(b"The body", b"A body"),
        MESSAGE.replace(b"More", b"Less"),
        MESSAGE.replace(b"Plan", b"plan"),
        MESSAGE.replace(b"<1@", b"<2@"),
        MESSAGE.replace(b"From: a", b"From: c"),
        b"X-Other: a field\r\n" + MESSAGE,
        MESSAGE.replace(b"Plan", b"Plan\r\n more"),
        MESSAGE.replace(b"\r\n\r\nThe", b"\r\nThe: "),
        MESSAGE[:-1],
        b"\r\n" + MESSAGE,
        b"",
    ],
)
def test_another_content_has_another_digest(other: bytes) -> None:
    assert digest(other) != digest(MESSAGE)


def test_another_sender_has_another_digest() -> None:
    assert digest(MESSAGE, "c@b.example") != digest(MESSAGE)


@pytest.mark.parametrize("name", ["Received", "return-path", "Authentication-Results", "DKIM-SIGNATURE", "ARC-Seal"])
def test_trace_takes_no_part(name: str) -> None:
    assert digest(f"{name}: by a host;\r\n\tanew\r\n".encode() + MESSAGE) == digest(MESSAGE)


def test_a_long_subject_counts_to_its_end() -> None:
    begun = b"Subject: " + b"x" * 200_000
    assert digest(begun + b"a\r\n\r\n") != digest(begun + b"b\r\n\r\n")


@given(st.integers(1, len(MESSAGE)), st.sampled_from([MESSAGE, b"\r\n" + MESSAGE, MESSAGE[:40], b"\r\n\r\n" + MESSAGE]))
def test_how_it_is_cut_makes_no_difference(size: int, message: bytes) -> None:
    assert digest(message, size=size) == digest(message)


@given(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"\r\n")), st.binary(min_size=1, max_size=5))
def test_whatever_stands_behind_the_empty_line_counts(body: bytes, more: bytes) -> None:
    assert digest(b"\r\n" + body + more) != digest(b"\r\n" + body)
    assert digest(MESSAGE + more) != digest(MESSAGE)
