"""Dot-stuffing and the end of data, whole and in every split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.dot import DotReader, DotWriter, stuffed

# Bytes that matter to the codec, so that a short sample meets the awkward neighbourhoods.
AWKWARD = st.lists(st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"\r\n.", b"\r\n.\r\n"]), max_size=24).map(
    b"".join
)
LINES = st.lists(st.sampled_from([b"", b".", b"..", b"a", b".a", b"a."]), max_size=8).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)


def read(wire: bytes, size: int) -> tuple[bytes, bool, bytes, bool]:
    """Feeds in blocks of ``size`` until done; what is left of the input counts as rest."""
    reader, out = DotReader(), b""
    for start in range(0, len(wire), size):
        fed = reader.feed(wire[start : start + size])
        out += fed.out
        if fed.done:
            return out, True, fed.rest + wire[start + size :], reader.bare
    return out, False, b"", reader.bare


def write(message: bytes, size: int) -> bytes:
    writer = DotWriter()
    return b"".join(writer.feed(message[i : i + size]) for i in range(0, len(message), size)) + writer.finish()


@pytest.mark.parametrize(
    ("wire", "message", "rest"),
    [
        (b".\r\nQUIT\r\n", b"", b"QUIT\r\n"),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
        (b"..\r\n.\r\n.\r\n", b".\r\n", b".\r\n"),
        (b".a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", b""),
        (b"\r\n\r\n.\r\n.", b"\r\n\r\n", b"."),
    ],
)
def test_data_ends_at_a_dot_alone_and_what_follows_is_kept(wire: bytes, message: bytes, rest: bytes) -> None:
    assert read(wire, len(wire)) == (message, True, rest, False)


@pytest.mark.parametrize(
    "trick", [b"\n.\r\n", b"\r\n.\n", b"\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n"]
)
def test_nothing_but_crlf_dot_crlf_ends_the_data(trick: bytes) -> None:
    wire = b"one" + trick + b"MAIL FROM:<evil@example>\r\n.\r\nQUIT\r\n"
    out, done, rest, bare = read(wire, len(wire))
    assert done
    assert rest == b"QUIT\r\n"
    assert b"evil@example" in out
    assert bare is (b"\x00" not in trick)


@given(wire=AWKWARD, size=st.integers(1, 5))
def test_reading_in_any_split_gives_the_same(wire: bytes, size: int) -> None:
    whole, split = read(wire, max(1, len(wire))), read(wire, size)
    if whole[1]:
        assert split == whole
    else:
        assert split[:3] == whole[:3]


@given(wire=AWKWARD)
def test_at_most_four_bytes_are_held_back(wire: bytes) -> None:
    reader, taken, given_out = DotReader(), 0, 0
    for i in range(len(wire)):
        fed = reader.feed(wire[i : i + 1])
        taken += 1
        given_out += len(fed.out)
        if fed.done:
            return
        stuffed_dots = (b"\r\n" + wire[:taken]).count(b"\r\n.")
        assert taken - given_out <= 4 + stuffed_dots


@given(message=LINES, size=st.integers(1, 5), tail=st.sampled_from([b"", b"QUIT\r\n", b".\r\n"]))
def test_what_is_written_is_read_again(message: bytes, size: int, tail: bytes) -> None:
    wire = write(message, size)
    assert wire == stuffed(message)
    assert wire.endswith(b".\r\n")
    assert read(wire + tail, size) == (message, True, tail, False)


def test_a_message_without_its_last_line_end_gets_one() -> None:
    assert stuffed(b"a\r\n.b") == b"a\r\n..b\r\n.\r\n"


@given(message=AWKWARD, size=st.integers(1, 5))
def test_any_split_is_written_alike(message: bytes, size: int) -> None:
    assert write(message, size) == stuffed(message)
