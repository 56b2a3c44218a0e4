"""7z: AES in a plain list of coders, in a packed one, and beside an encrypted one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Lock
from gateway.core.inside.base import Ends, EndsLook
from gateway.core.inside.sevenzip import read_7z
from tests.core.inside.samples import AES, packed_header, sevenzip

COPY = b"\x01\x04\x06\x00\x01\x09\x0a\x00\x07\x0b\x01\x00\x01\x01\x00\x0c\x0a\x00"
LOCKED = b"\x01\x04\x06\x00\x01\x09\x0a\x00\x07\x0b\x01\x00\x01" + AES


def lock(data: bytes) -> Lock:
    look = EndsLook(read_7z)
    for at in range(0, len(data), 1000):
        look.feed(data[at : at + 1000])
    return look.close().lock


@pytest.mark.parametrize(("real", "expected"), [(COPY, Lock.OPEN), (LOCKED, Lock.ARCHIVE)])
@pytest.mark.parametrize("names", [b"", bytes(range(256)) * 20])
def test_the_list_of_coders_is_searched_plain_and_packed(real: bytes, expected: Lock, names: bytes) -> None:
    assert lock(sevenzip(real + names, packed=b"data" * 50)) is expected
    header, packed = packed_header(real + names)
    assert lock(sevenzip(header, packed=b"data" * 50 + packed)) is expected


def test_an_encrypted_list_of_coders_is_a_lock() -> None:
    assert lock(sevenzip(b"\x17\x06\x00\x01\x09\x10\x00\x07\x0b\x01\x00\x02" + AES)) is Lock.ARCHIVE


def test_aes_in_the_data_is_none() -> None:
    assert lock(sevenzip(COPY, packed=AES)) is Lock.OPEN


def test_a_dictionary_of_any_size_reserves_little() -> None:
    header, packed = packed_header(LOCKED, properties=b"\x5d\xff\xff\xff\xff")
    assert lock(sevenzip(header, packed=packed)) is Lock.ARCHIVE


def test_a_header_that_describes_what_is_not_there_counts_as_open() -> None:
    header, packed = packed_header(LOCKED)
    assert lock(sevenzip(header, packed=b"x" * len(packed))) is Lock.OPEN
    assert lock(sevenzip(header)) is Lock.OPEN
    assert lock(sevenzip(header.replace(b"\x06\x00\x01\x09", b"\x06\x00\x02\x09"), packed=packed)) is Lock.OPEN
    assert lock(sevenzip(packed_header(LOCKED, properties=b"\xff" * 5)[0], packed=packed)) is Lock.OPEN
    assert lock(sevenzip(b"\x17\x07" + header[2:], packed=packed)) is Lock.OPEN
    assert lock(sevenzip(header[:-8], packed=packed)) is Lock.OPEN


def test_a_file_that_is_cut_or_too_long_counts_as_open() -> None:
    whole = sevenzip(LOCKED)
    assert lock(whole[:20]) is Lock.OPEN
    assert lock(whole[:32]) is Lock.OPEN
    assert lock(whole + bytes(200_000)) is Lock.OPEN


@given(data=st.binary(max_size=120), properties=st.binary(min_size=5, max_size=5))
def test_any_bytes_are_read(data: bytes, properties: bytes) -> None:
    header, packed = packed_header(LOCKED, properties=properties)
    for whole in (sevenzip(data, data), sevenzip(header, packed), sevenzip(b"\x17\x06" + data, data)):
        read_7z(Ends(whole, whole, len(whole)))
