"""BDAT's argument, and line ends across chunks."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.bdat import Chunk, LineEnds, parse_bdat


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [
        (b"0", Chunk(0, False)),
        (b"123  ", Chunk(123, False)),
        (b"5 LAST", Chunk(5, True)),
        (b"005  last ", Chunk(5, True)),
        (b"9" * 20, Chunk(int("9" * 20), False)),
        (b"", None),
        (b"LAST", None),
        (b"5LAST", None),
        (b"5 FIRST", None),
        (b"5 LAST 5", None),
        (b"-5", None),
        (b"+5", None),
        (b"5\tLAST", None),
        (b"\xd9\xa5", None),
        (b"9" * 21, None),
    ],
)
def test_argument_is_a_size_and_at_most_last(argument: bytes, chunk: Chunk | None) -> None:
    assert parse_bdat(argument) == chunk


def watch(blocks: list[bytes]) -> tuple[bool, bytes]:
    ends = LineEnds()
    for block in blocks:
        ends.feed(block)
    missing = ends.finish()
    return ends.bare, missing


@pytest.mark.parametrize(
    ("blocks", "bare", "missing"),
    [
        ([], False, b""),
        ([b""], False, b""),
        ([b"a\r\n"], False, b""),
        ([b"a\r", b"", b"\n"], False, b""),
        ([b"a\r", b"\nb"], False, b"\r\n"),
        ([b"a"], False, b"\r\n"),
        ([b"a", b"\r\n"], False, b""),
        ([b"\n"], True, b"\r\n"),
        ([b"a\r", b"b\r\n"], True, b""),
        ([b"a\r\n", b"\nb\r\n"], True, b""),
        ([b"a\r"], True, b"\r\n"),
        ([b"a\r\r\n"], True, b""),
        ([b"a\n", b"b\r\n"], True, b""),
    ],
)
def test_bare_line_end_is_seen_across_blocks(blocks: list[bytes], bare: bool, missing: bytes) -> None:
    assert watch(blocks) == (bare, missing)


@given(st.lists(st.binary(max_size=4).map(lambda data: bytes(b"\r\na."[byte % 4] for byte in data)), max_size=8))
def test_split_feed_is_the_whole_feed(blocks: list[bytes]) -> None:
    whole = b"".join(blocks)
    expected = re.search(rb"\r(?!\n)|(?<!\r)\n", whole) is not None
    assert watch(blocks) == watch([whole])
    assert watch(blocks)[0] is expected
    assert watch(blocks)[1] == (b"" if not whole or whole.endswith(b"\r\n") else b"\r\n")
