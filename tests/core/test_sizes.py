import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.sizes import exactly, parse_size, roughly


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("7 B", 7), ("2KiB", 2048), ("13MiB", 13_631_488), ("3 GiB", 3 * 1024**3)],
)
def test_sizes_have_binary_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "meant"), [("13MB", "13MiB"), ("13mb", "13MiB"), ("2kB", "2KiB"), ("1GB", "1GiB"), ("5TB", "5MiB")]
)
def test_decimal_units_are_refused_and_the_binary_one_is_named(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"write {meant}, not {text}"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "13", "MiB", "1.5MiB", "-1MiB", "1MiB ", "٣MiB", "1" * 16 + "B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole number and a unit"):
        parse_size(text)


def test_limits_are_said_exactly_and_sizes_roughly() -> None:
    assert exactly(13 * 1024**2) == "13 MiB"
    assert exactly(13 * 1024**2 + 1) == "13631489 B"
    assert exactly(1536) == "1536 B"
    assert roughly(13 * 1024**2 + 1) == "13.0 MiB"
    assert roughly(1536) == "1.5 KiB"
    assert roughly(1023) == "1023 bytes"
    assert roughly(5 * 1024**3) == "5.0 GiB"


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=10**14))
def test_an_exact_limit_reads_back_as_itself(size: int) -> None:
    assert parse_size(exactly(size)) == size
