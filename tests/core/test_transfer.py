"""Decoded sizes and decoded text, whatever way the stream is cut."""

import base64
import binascii
import quopri
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.transfer import decoder, sizer

ENCODINGS = ("base64", "quoted-printable", "7bit", "x-unknown")


def size(encoding: str, *blocks: bytes) -> int:
    counter = sizer(encoding)
    for block in blocks:
        counter.feed(block)
    return counter.size()


def decoded(encoding: str, *blocks: bytes) -> bytes:
    stream = decoder(encoding)
    return b"".join(stream.feed(block) for block in blocks) + stream.finish()


@given(st.binary(max_size=400))
def test_the_size_of_base64_is_exact(data: bytes) -> None:
    assert size("base64", base64.encodebytes(data).replace(b"\n", b"\r\n")) == len(data)


@given(st.binary(max_size=400))
def test_the_size_of_quoted_printable_is_exact(data: bytes) -> None:
    data = data.replace(b"\r", b"").replace(b"\n", b"")
    encoded = quopri.encodestring(data, quotetabs=True).replace(b"\n", b"\r\n")
    assert size("quoted-printable", encoded) == len(data)
    assert decoded("quoted-printable", encoded) == data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"QUJD", 3),
        (b"QU JD\r\n!!", 3),
        (b"QUJDRA", 4),
        (b"QUJDRA=", 4),
        (b"QUJDRA====", 4),
        (b"QQ==QUJD", 4),
        (b"====", 0),
        (b"", 0),
    ],
)
def test_junk_and_wrong_padding_are_tolerated(text: bytes, expected: int) -> None:
    assert size("base64", text) == expected


@given(st.text("=4\r\nx ", max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_quoted_printable_is_the_same_however_it_is_cut_and_no_longer_than_its_size(text: str, cuts: list[int]) -> None:
    data = text.encode()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    blocks = [data[start:end] for start, end in pairwise(places)]
    assert decoded("quoted-printable", *blocks) == decoded("quoted-printable", data)
    assert size("quoted-printable", *blocks) == size("quoted-printable", data)
    assert len(binascii.a2b_qp(data)) <= size("quoted-printable", data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a=3Db", 3),
        (b"a=3db", 3),
        (b"a=\r\nb", 2),
        (b"a=zzb", 5),
        (b"line \r\nline", 11),
        (b"a=", 2),
        (b"a=4", 3),
        (b"=4=\r\n1", 3),
        (b"==41", 4),
        (b"=\xff1", 3),
    ],
)
def test_escapes_of_quoted_printable_are_counted_one_by_one(text: bytes, expected: int) -> None:
    assert size("quoted-printable", text) == expected


def test_an_unknown_encoding_counts_and_reads_as_it_stands() -> None:
    assert size("x-uuencode", b"=41\r\n", b"QUJD") == 9
    assert decoded("x-uuencode", b"=41\r\n", b"QUJD") == b"=41\r\nQUJD"


@given(st.lists(st.sampled_from([b"=", b"4", b"1", b"\r", b"\n", b"\r\n", b"A", b"Q", b"z", b"\xff"]), max_size=30))
def test_no_cut_changes_a_size_or_a_text(pieces: list[bytes]) -> None:
    for encoding in ENCODINGS:
        assert size(encoding, *pieces) == size(encoding, b"".join(pieces))
    assert decoded("base64", *pieces) == decoded("base64", b"".join(pieces))


def test_escapes_and_groups_across_blocks_are_decoded() -> None:
    assert decoded("quoted-printable", b"ci=", b"6", b"4=", b"\r", b"\n:x") == b"cid:x"
    assert decoded("base64", b"Y2", b"lk", b"\r\nOg", b"==") == b"cid:"


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("base64", b"QUJDRA==", b"ABCD"),
        ("base64", b"QUJDREU=", b"ABCDE"),
        ("base64", b"QUJDREU", b"ABCDE"),
        ("base64", b"QUJDR", b"ABC"),
        ("quoted-printable", b"a=4", b"a=4"),
        ("quoted-printable", b"a=", b"a"),
        ("8bit", b"a=", b"a="),
    ],
)
def test_the_end_of_a_text_is_decoded(encoding: str, text: bytes, expected: bytes) -> None:
    assert decoded(encoding, text) == expected


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_row_of_equals_signs_is_read_alike_however_it_is_cut(cut: int) -> None:
    whole, pieces = decoder("quoted-printable"), decoder("quoted-printable")
    data = b"a====3Db="
    expected = whole.feed(data) + whole.finish()
    assert pieces.feed(data[:cut]) + pieces.feed(data[cut:]) + pieces.finish() == expected
