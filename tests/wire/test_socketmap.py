"""Lookups in any split, within limits, and replies that Postfix reads as they are meant."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.socketmap import MAX_REPLY, MAX_REQUEST, Reply, Request, RequestReader, Result


def read(blocks: Iterable[bytes]) -> tuple[list[Request], str]:
    """The requests, and the error that ended them."""
    reader, found = RequestReader(), list[Request]()
    try:
        for block in blocks:
            reader.feed(block)
            while (request := reader.next()) is not None:
                found.append(request)
    except RemoteProtocolError as error:
        return found, str(error)
    return found, ""


def asked(map: str, key: str) -> bytes:
    content = f"{map} {key}".encode()
    return b"%d:%s," % (len(content), content)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NAME = TEXT.filter(lambda text: " " not in text)


@given(lookups=st.lists(st.tuples(NAME, TEXT), max_size=5), size=st.integers(1, 60))
def test_what_was_asked_comes_out_in_any_split(lookups: list[tuple[str, str]], size: int) -> None:
    data = b"".join(asked(*lookup) for lookup in lookups)
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(blocks) == ([Request(*lookup) for lookup in lookups], "")


@given(data=st.binary(max_size=60), size=st.integers(1, 60))
def test_any_bytes_end_the_same_way_in_any_split(data: bytes, size: int) -> None:
    assert read([data]) == read([data[at : at + size] for at in range(0, len(data), size)])


def test_a_key_may_hold_spaces_and_names_of_other_scripts() -> None:
    assert read([asked("tls", "[mx.münchen.example] :25")]) == ([Request("tls", "[mx.münchen.example] :25")], "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"GET / HTTP/1.1\r\n", "not a netstring"),
        (b":tls a,", "not a netstring"),
        (b"0:,", "not a netstring"),
        (b"05:tls a,", "not a netstring"),
        (b"+5:tls a,", "not a netstring"),
        (b"99999:", "not a netstring"),
        (b"%d:" % (MAX_REQUEST + 1), "too long"),
        (b"5:tls a;", "without its end"),
        (b"5:tls a,,", "not a netstring"),
        (b"3:tls,", "no lookup"),
        (b"4:tls ,", "no lookup"),
        (b"2: a,", "no lookup"),
        (b"5:tls \xff,", "not UTF-8"),
    ],
)
def test_what_is_no_lookup_ends_it(data: bytes, problem: str) -> None:
    assert problem in read([data])[1]


def test_the_longest_request_is_read_and_never_more_waits() -> None:
    longest = asked("t", "x" * (MAX_REQUEST - 2))
    reader = RequestReader()
    for at in range(len(longest) - 1):
        reader.feed(longest[at : at + 1])
        assert reader.next() is None
    assert reader.waiting == len(longest) - 1
    reader.feed(b",")
    assert reader.next() == Request("t", "x" * (MAX_REQUEST - 2))
    assert reader.waiting == 0


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        (Reply(Result.OK, "encrypt"), b"10:OK encrypt,"),
        (Reply(Result.NOTFOUND), b"9:NOTFOUND ,"),
        (Reply(Result.TEMP, "no answer"), b"14:TEMP no answer,"),
        (Reply(Result.TIMEOUT), b"8:TIMEOUT ,"),
        (Reply(Result.PERM, "no such map"), b"16:PERM no such map,"),
        (Reply(Result.OK, "x" * (MAX_REPLY - 3)), b"100000:OK " + b"x" * (MAX_REPLY - 3) + b","),
    ],
)
def test_replies_are_written_as_postfix_reads_them(reply: Reply, sent: bytes) -> None:
    assert reply.to_bytes() == sent


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Result.OK, ""),
        (Result.NOTFOUND, "nothing"),
        (Result.OK, "a\nb"),
        (Result.TEMP, "münchen"),
        (Result.OK, "x" * (MAX_REPLY - 2)),
    ],
)
def test_a_reply_that_could_be_misread_cannot_be_made(result: Result, text: str) -> None:
    with pytest.raises(LocalProtocolError):
        Reply(result, text)
