"""Which files are looked into, and that all others are left alone after their first bytes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Lock
from gateway.core.inside.base import NOTHING, Contents
from gateway.core.inside.peek import Peek
from tests.core.inside.samples import AES, RAR4, RAR5, ole, rar4_block, rar5_block, sevenzip, zipped
from tests.core.scanning import multipart, named, scan

LOCKED_PDF = b"%PDF-1.4\n" + bytes(2000) + b"<< /Encrypt 1 0 R >>"
FILES = {
    "zip": (zipped("a.txt", "b.txt"), Contents(("a.txt", "b.txt"))),
    "empty zip": (zipped(), NOTHING),
    "7z": (sevenzip(AES), Contents(lock=Lock.ARCHIVE)),
    "rar 4": (RAR4 + rar4_block(0x73, 0x80, bytes(6)), Contents(lock=Lock.ARCHIVE)),
    "rar 5": (RAR5 + rar5_block(4, body=bytes(20)), Contents(lock=Lock.ARCHIVE)),
    "office": (ole(stream="EncryptedPackage"), Contents(lock=Lock.OFFICE)),
    "pdf": (LOCKED_PDF, Contents(lock=Lock.PDF)),
    "pdf behind other bytes": (b"\r\n" * 400 + LOCKED_PDF, Contents(lock=Lock.PDF)),
    "pdf too far behind": (b"\r\n" * 600 + LOCKED_PDF, NOTHING),
    "text about zip": (b"see " + zipped("a.txt"), NOTHING),
    "nothing": (b"", NOTHING),
    "a few bytes": (b"PK\x05", NOTHING),
}


def peek(data: bytes, encoding: str, step: int = 1000) -> Contents:
    found = Peek(encoding)
    for at in range(0, len(data), step):
        found.feed(data[at : at + step])
    return found.close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_first_bytes(name: str) -> None:
    data, expected = FILES[name]
    assert peek(data, "binary") == expected
    assert peek(base64.encodebytes(data).replace(b"\n", b"\r\n"), "base64") == expected


@pytest.mark.parametrize("spaces", [0, 1, 2])
def test_the_last_bytes_of_a_file_count(spaces: int) -> None:
    data = b"%PDF-" + b" " * spaces + b"<< /Encrypt 1 0 R"
    assert peek(base64.b64encode(data), "base64").lock is Lock.PDF
    assert peek(base64.b64encode(b"\n" * 3000 + data), "base64").lock is Lock.OPEN
    long = b"%PDF-" + b" " * (3000 + spaces) + b"<< /Encrypt 1 0 R"
    assert peek(base64.b64encode(long), "base64").lock is Lock.PDF


@given(name=st.sampled_from(sorted(FILES)), step=st.integers(1, 300))
def test_any_split_finds_the_same(name: str, step: int) -> None:
    data, expected = FILES[name]
    assert peek(base64.encodebytes(data), "base64", step) == expected


def test_a_file_of_no_interest_is_not_decoded_further() -> None:
    found = Peek("base64")
    found.feed(base64.encodebytes(bytes(5000)))
    decoded: list[bytes] = []

    class Recording:
        def feed(self, data: bytes) -> bytes:
            decoded.append(data)
            return data

        def finish(self) -> bytes:
            decoded.append(b"finish")
            return b""

    found._decoder = Recording()
    found.feed(b"UEsDBA==" * 100)
    assert (decoded, found.close()) == ([], NOTHING)


def test_a_large_archive_is_kept_in_small_part() -> None:
    found = Peek("binary")
    for _ in range(100):
        found.feed(b"PK\x03\x04" + bytes(60_000))
    look = found._look
    assert look is not None
    assert len(look._tail) <= 128 * 1024  # pyright: ignore[reportAttributeAccessIssue]


def test_the_scan_tells_of_each_attached_file_and_sizes_stay_exact() -> None:
    locked, plain = FILES["office"][0], zipped("x/1.xml")
    found = scan(multipart(named("a.xls", locked), named("b.zip", plain), named("c.bin", b"12345")))
    assert [(file.name, file.bytes, file.members, file.lock) for file in found.attachments] == [
        ("a.xls", len(locked), (), Lock.OFFICE),
        ("b.zip", len(plain), ("x/1.xml",), Lock.OPEN),
        ("c.bin", 5, (), Lock.OPEN),
    ]
