"""DER written and read: what OpenSSL and a reader of our own say of it, and what is cut off or too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealed.cms.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    element,
    elements,
    integer,
    oid,
    opening,
    set_of,
    tagged,
)


@pytest.mark.parametrize(
    ("dotted", "content"),
    [
        ("1.2.840.113549.1.7.3", "2a864886f70d010703"),
        ("2.16.840.1.101.3.4.1.46", "608648016503040" + "12e"),
        ("1.3.132.1.11.1", "2b81040" + "10b01"),
    ],
)
def test_object_identifiers_are_those_of_the_standard(dotted: str, content: str) -> None:
    raw = bytes.fromhex(content)
    assert oid(dotted) == bytes([OBJECT_IDENTIFIER, len(raw)]) + raw


@pytest.mark.parametrize(
    ("value", "content"),
    [(0, b"\0"), (3, b"\3"), (127, b"\x7f"), (128, b"\0\x80"), (256, b"\1\0"), (32768, b"\0\x80\0")],
)
def test_a_number_that_is_not_negative_never_reads_as_one_that_is(value: int, content: bytes) -> None:
    assert integer(value) == bytes([INTEGER, len(content)]) + content


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "0400"), (127, "047f"), (128, "048180"), (255, "0481ff"), (256, "04820100"), (65536, "0483010000")],
)
def test_lengths_have_their_shortest_form(size: int, head: str) -> None:
    assert element(OCTET_STRING, bytes(size)) == bytes.fromhex(head) + bytes(size)


def test_an_element_of_three_gigabytes_is_opened_without_them() -> None:
    assert opening(OCTET_STRING, b"ab", 3 * 2**30) == bytes.fromhex("0484c0000002") + b"ab"


def test_the_members_of_a_set_are_sorted_by_their_bytes() -> None:
    assert set_of(SET, integer(2), integer(1)) == element(SET, integer(1), integer(2))
    assert set_of(tagged(0), b"\4\1b", b"\2\1a")[2:] == b"\2\1a\4\1b"


@given(st.lists(st.tuples(st.sampled_from([INTEGER, OCTET_STRING, SEQUENCE, tagged(1)]), st.binary(max_size=300))))
def test_what_is_written_is_read_again(written: list[tuple[int, bytes]]) -> None:
    raw = [element(tag, content) for tag, content in written]
    found = elements(b"".join(raw))
    assert [(each.tag, each.content) for each in found] == written
    assert [each.raw for each in found] == raw


@given(st.binary(min_size=1, max_size=300), st.data())
def test_what_is_cut_off_is_refused(content: bytes, data: st.DataObject) -> None:
    raw = element(SEQUENCE, content)
    cut = data.draw(st.integers(1, len(raw) - 1))
    with pytest.raises(ValueError, match="cut off"):
        elements(raw[:cut])


@pytest.mark.parametrize("raw", ["3080" + "0000", "3089" + "00" * 9, "30"])
def test_lengths_that_der_does_not_have_are_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="element"):
        elements(bytes.fromhex(raw))


@given(st.binary(max_size=60))
def test_any_bytes_are_elements_or_refused(data: bytes) -> None:
    try:
        assert b"".join(each.raw for each in elements(data)) == data
    except ValueError:
        pass
