"""Replies in any split, within limits, and never an error but RemoteProtocolError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.reply import Reply, Status
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.smtp_replies import MAX_LINE, MAX_LINES, MAX_TEXT, ReplyReader


def read(data: bytes, size: int) -> list[Reply]:
    reader, replies = ReplyReader(), list[Reply]()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (reply := reader.next()) is not None:
            replies.append(reply)
    return replies


def one(data: bytes) -> Reply:
    (reply,) = read(data, len(data))
    return reply


SESSION = (
    b"220 mx ESMTP\r\n250-mx\r\n250-SIZE 100\r\n250 DSN\r\n250 2.1.0 ok\r\n"
    b"550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n"
)


@given(size=st.integers(1, 40))
def test_replies_are_the_same_in_any_split(size: int) -> None:
    replies = read(SESSION, size)
    assert [reply.code for reply in replies] == [220, 250, 250, 550, 354]
    assert replies == read(SESSION, len(SESSION))
    assert replies[1].lines == ("mx", "SIZE 100", "DSN")
    assert replies[3] == Reply(550, Status(5, 1, 1), ("no", "such user"))
    assert replies[4].lines == ("",)


def test_a_status_of_another_class_is_only_text() -> None:
    assert one(b"250 5.1.1 fine\r\n") == Reply(250, None, ("5.1.1 fine",))
    assert one(b"354 2.0.0 go\r\n") == Reply(354, None, ("2.0.0 go",))


def test_control_characters_never_come_through() -> None:
    reply = one("550 a\x1b[2Jb\x00c\u202ed\u0085e\r\n".encode() + b"")
    assert reply.lines == ("a?[2Jb?c?d?e",)
    assert one(b"550 caf\xc3\xa9 \xff\r\n").lines == ("caf\u00e9 \ufffd",)


def test_a_carriage_return_inside_a_line_is_cleaned_and_a_bare_line_feed_ends_it() -> None:
    assert one(b"250 a\rb\n").lines == ("a?b",)


def test_long_text_is_cut() -> None:
    assert len(one(b"250 " + b"x" * (MAX_TEXT + 1) + b"\r\n").lines[0]) == MAX_TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"25 ok\r\n",
        b"250ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n" * MAX_LINES + b"250 b\r\n",
        b"2" * MAX_LINE,
        b"250 " + b"x" * MAX_LINE + b"\r\n",
    ],
)
def test_what_is_no_reply_or_too_much_is_the_servers_fault(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(data + b"250 after\r\n", len(data) + 11)


def test_the_longest_reply_is_read() -> None:
    data = b"250-a\r\n" * (MAX_LINES - 1) + b"250 b\r\n"
    assert len(one(data).lines) == MAX_LINES


def test_waiting_counts_what_was_not_given_out() -> None:
    reader = ReplyReader()
    reader.feed(b"220 go\r\n250 injected\r\n")
    reader.next()
    assert reader.waiting == len(b"250 injected\r\n")


@given(data=st.binary(max_size=200), size=st.integers(1, 9))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    try:
        read(data, size)
    except RemoteProtocolError:
        return
