"""Ranges: any of them is that slice of the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.ranges import OutOfRange, Span, read_range


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        (None, None),
        ("bytes=0-", Span(0, 10)),
        ("bytes=3-5", Span(3, 6)),
        ("bytes=9-100", Span(9, 10)),
        ("bytes=-4", Span(6, 10)),
        ("bytes=-40", Span(0, 10)),
        ("Bytes=2-", Span(2, 10)),
        ("bytes=10-", OutOfRange()),
        ("bytes=-0", OutOfRange()),
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=-1-2", None),
        ("items=0-1", None),
        ("bytes=1²-", None),
        ("bytes=" + "9" * 19 + "-", None),
    ],
)
def test_ranges(asked: str | None, span: Span | OutOfRange | None) -> None:
    assert read_range(asked, 10, still_the_same=True) == span


def test_another_file_is_sent_whole() -> None:
    assert read_range("bytes=3-5", 10, still_the_same=False) is None


def test_nothing_has_no_ranges() -> None:
    assert read_range("bytes=0-", 0, still_the_same=True) == OutOfRange()


@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_the_slice(data: bytes, first: int, more: int) -> None:
    span = read_range(f"bytes={first}-{first + more}", len(data), still_the_same=True)
    expected = data[first : first + more + 1]
    assert (data[span.start : span.end] if isinstance(span, Span) else b"") == expected
    assert isinstance(span, Span) == bool(expected)
    last = read_range(f"bytes=-{first}", len(data), still_the_same=True)
    assert (data[last.start : last.end] if isinstance(last, Span) else b"") == (data[-first:] if first else b"")
