"""The hash of a body is that of dkimpy's canonical form, whatever the body and wherever it is cut."""

import hashlib
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.body_hash import BodyHash

EMPTY = b64encode(hashlib.sha256(b"").digest()).decode()
PIECES = st.sampled_from(
    [b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"\xff", b"   ", b"\r\n\r\n", b" \r\n", b"\x0b", b"."]
)
BODIES = st.one_of(st.lists(PIECES, max_size=30).map(b"".join), st.binary(max_size=60))


def hashed(*blocks: bytes) -> str:
    body = BodyHash()
    for block in blocks:
        body.feed(block)
    return body.digest()


def expected(body: bytes) -> str:
    """By dkimpy, for the body as DATA carries it: its last line has an end."""
    whole = body if body.endswith(b"\r\n") else body + b"\r\n"
    return b64encode(hashlib.sha256(Relaxed.canonicalize_body(whole)).digest()).decode()


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    at = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in pairwise(at)]


@given(BODIES, st.lists(st.integers(min_value=0, max_value=200), max_size=12))
@example(b"a \r\n\r\n", [1, 2, 3, 4, 5])
@example(b"a\r\n \r\r\n", [2, 3, 4, 5])
@example(b"\n\r\n\r", [1])
@example(b"a \t\r\n\r\n \r\nb", [2, 4, 6])
def test_it_is_dkimpys_for_every_body_and_every_cut(body: bytes, places: list[int]) -> None:
    assert hashed(*cut(body, places)) == expected(body)


@given(BODIES)
def test_it_is_the_same_byte_by_byte(body: bytes) -> None:
    assert hashed(*[body[at : at + 1] for at in range(len(body))]) == expected(body)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b" ", b"\t \r\n \r\n"])
def test_body_of_empty_lines_is_an_empty_body(body: bytes) -> None:
    assert hashed(body) == EMPTY
    assert hashed(body, b".") != EMPTY


def test_example_of_the_rfc() -> None:
    # RFC 6376 section 3.4.5.
    canonical = b" C\r\nD E\r\n"
    assert hashed(b" C \r\nD \t E\r\n\r\n\r\n") == b64encode(hashlib.sha256(canonical).digest()).decode()


@pytest.mark.parametrize(
    ("filler", "becomes"), [(b" ", b""), (b"\t", b""), (b"\r\n", b"\r\n"), (b" \t\r\n", b"\r\n"), (b"\r", b"\r")]
)
def test_gigantic_runs_need_no_memory(filler: bytes, becomes: bytes) -> None:
    number, blocks = 256 * 1024 // len(filler), 20
    block, body = filler * number, BodyHash()
    body.feed(b"begin")
    tracemalloc.start()
    for _ in range(blocks):
        body.feed(block)
    body.feed(b" end")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(block)
    canonical = b"begin" + becomes * (number * blocks) + b" end\r\n"
    assert body.digest() == b64encode(hashlib.sha256(canonical).digest()).decode()


def test_text_costs_milliseconds_per_mebibyte() -> None:
    line = b"Dear colleague, the papers for Thursday's meeting are attached to this message.\r\n"
    block = (line * 4000)[: 256 * 1024]
    body = BodyHash()
    began = time.thread_time()
    for _ in range(32):
        body.feed(block)
    assert time.thread_time() - began < 8 * 0.03, "three times what it may cost, for a slow machine"
