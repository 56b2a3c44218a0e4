"""RAR 4 and 5: encrypted headers, an encrypted first file, and neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Lock
from gateway.core.inside.base import Ends, EndsLook
from gateway.core.inside.rar import read_rar
from tests.core.inside.samples import RAR4, RAR5, rar4_block, rar5_block

MAIN4 = rar4_block(0x73, 0, bytes(6))
COMMENT4 = rar4_block(0x7A, 0, bytes(10), more=bytes(300))
PLAIN4 = rar4_block(0x74, 0, bytes(25), more=b"data")
LOCKED4 = rar4_block(0x74, 0x0004, bytes(25), more=b"data")
MAIN5 = rar5_block(1, body=b"\x00")
SERVICE5 = rar5_block(3, data=bytes(300), body=b"CMT")
TIME_RECORD, LOCK_RECORD = b"\x05\x03\x02abc", b"\x03\x01\x00\x00"
PLAIN5 = rar5_block(2, extra=TIME_RECORD, data=bytes(200), body=b"name")
LOCKED5 = rar5_block(2, extra=TIME_RECORD + LOCK_RECORD, data=bytes(200), body=b"name")


def lock(data: bytes) -> Lock:
    look = EndsLook(read_rar)
    look.feed(data)
    return look.close().lock


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RAR4 + MAIN4 + PLAIN4, Lock.OPEN),
        (RAR4 + MAIN4 + LOCKED4, Lock.ARCHIVE),
        (RAR4 + MAIN4 + COMMENT4 + LOCKED4, Lock.ARCHIVE),
        (RAR4 + MAIN4 + PLAIN4 + LOCKED4, Lock.OPEN),
        (RAR4 + rar4_block(0x73, 0x0080, bytes(6)) + bytes(40), Lock.ARCHIVE),
        (RAR4 + MAIN4, Lock.OPEN),
        (RAR4 + bytes(4000), Lock.OPEN),
        (RAR5 + MAIN5 + PLAIN5, Lock.OPEN),
        (RAR5 + MAIN5 + LOCKED5, Lock.ARCHIVE),
        (RAR5 + MAIN5 + SERVICE5 + LOCKED5, Lock.ARCHIVE),
        (RAR5 + MAIN5 + PLAIN5 + LOCKED5, Lock.OPEN),
        (RAR5 + rar5_block(4, body=bytes(20)) + bytes(200), Lock.ARCHIVE),
        (RAR5 + MAIN5, Lock.OPEN),
        (RAR5 + b"\xff" * 4000, Lock.OPEN),
    ],
)
def test_the_first_headers_tell(data: bytes, expected: Lock) -> None:
    assert lock(data) is expected


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    for whole in (RAR4 + data, RAR5 + data, RAR5 + rar5_block(2, extra=data[:50] or b"\0", data=data)):
        read_rar(Ends(whole, whole, len(whole)))
