"""Transfer encodings undone: the same however the bytes are cut, from the beginning or from any mark."""

from collections.abc import Iterator
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealed import PartPlace
from gateway.sealed import decoding
from gateway.sealed.decoding import EVERY, Mark, Measure, decoded, decoder_for

ENCODINGS = st.sampled_from(["base64", "quoted-printable", "8bit", "x-unknown"])
# Mostly what is syntax in one of them, so that every cut through it turns up.
PIECES = st.lists(st.sampled_from([b"=", b"4", b"A", b"\r", b"\n", b"\r\n", b" ", b"+", b"z", b"\xe4"]), max_size=60)
BEFORE = 5


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(c for c in cuts if c <= len(data)), len(data)])]


def whole(encoding: str, data: bytes, *cuts: int) -> bytes:
    decoder = decoder_for(encoding)
    return b"".join(decoder.feed(block) for block in cut(data, [*cuts])) + decoder.finish()


@given(ENCODINGS, PIECES.map(b"".join), st.lists(st.integers(0, 60), max_size=10))
def test_no_cut_changes_what_comes_out(encoding: str, data: bytes, cuts: list[int]) -> None:
    assert whole(encoding, data, *cuts) == whole(encoding, data)


# All short inputs of what is syntax, because a failure needs a few bytes in one order and is seldom hit by chance.
SHORT = {
    "quoted-printable": [bytes(each) for length in range(1, 6) for each in product(b"=4\r\n", repeat=length)],
    "base64": [bytes(each) for length in range(1, 7) for each in product(b"QU\n", repeat=length)],
}


@pytest.mark.parametrize("encoding", SHORT)
def test_no_cut_changes_any_short_input(encoding: str) -> None:
    for data in SHORT[encoding]:
        expected = whole(encoding, data)
        for at in range(1, len(data)):
            assert whole(encoding, data, at) == expected, (data, at)
        assert whole(encoding, data, *range(len(data))) == expected, data


@pytest.mark.parametrize("encoding", SHORT)
def test_every_mark_in_any_short_input_is_a_place_to_begin(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "EVERY", 0)
    for data in SHORT[encoding]:
        expected = whole(encoding, data)
        for at in range(1, len(data)):
            for mark in measured(encoding, cut(data, [at])).marks:
                assert whole(encoding, data[mark.encoded - BEFORE :]) == expected[mark.decoded :], (data, at)


def place(encoding: str, data: bytes, size: int) -> PartPlace:
    return PartPlace(
        number=0, type="application/x", charset="", name="", content_id="", encoding=encoding, attached=True,
        start=BEFORE, end=BEFORE + len(data), size=size,
    )  # fmt: skip


def measured(encoding: str, blocks: list[bytes]) -> Measure:
    measure, at = Measure(encoding), BEFORE
    for block in blocks:
        measure.feed(block, at)
        at += len(block)
    measure.close()
    return measure


@given(
    ENCODINGS,
    PIECES.map(b"".join),
    st.lists(st.integers(0, 60), max_size=10),
    st.integers(1, 9),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_every_mark_is_a_place_to_begin(
    encoding: str, data: bytes, cuts: list[int], step: int, start: int, end: int
) -> None:
    def read(first: int, last: int) -> Iterator[bytes]:
        for at in range(first, last, step):
            yield data[at - BEFORE : min(last, at + step) - BEFORE]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "EVERY", 1)
        measure = measured(encoding, cut(data, cuts))
    expected = whole(encoding, data)
    assert measure.size == len(expected)
    for mark in measure.marks:
        assert whole(encoding, data[mark.encoded - BEFORE :]) == expected[mark.decoded :]
    got = decoded(place(encoding, data, measure.size), measure.marks, read, start, end)
    assert b"".join(got) == expected[start:end]


@pytest.mark.parametrize("line", [65_536, 4096, 75, 3])
@pytest.mark.parametrize("encoding", ["base64", "8bit"])
def test_lines_of_any_length_have_marks(encoding: str, line: int) -> None:
    body = (b"QUJD" * line)[:line] + b"\r\n"
    stream = body * (4 * EVERY // len(body))
    blocks = [stream[at : at + 65_536] for at in range(1, len(stream), 65_536)]
    measure = measured(encoding, blocks)
    assert len(measure.marks) >= measure.size // EVERY - 1
    assert all(b.decoded - a.decoded < 2 * EVERY for a, b in pairwise([Mark(0, 0), *measure.marks]))


def test_a_file_on_one_line_has_marks() -> None:
    blocks = [b"U", *[b"QUJD" * 16_384] * 64]
    measure = measured("base64", blocks)
    assert len(measure.marks) >= 2


def test_nothing_is_read_behind_what_was_asked() -> None:
    asked = list[int]()

    def read(first: int, last: int) -> Iterator[bytes]:
        for at in range(first, last):
            asked.append(at)
            yield b"x"

    assert b"".join(decoded(place("8bit", b"x" * 100, 100), (), read, 3, 7)) == b"xxxx"
    assert max(asked) == BEFORE + 6
