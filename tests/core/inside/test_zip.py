"""ZIP: names and locks, directories that do not fit, and damaged ones."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Lock
from gateway.core.inside.base import Contents, Ends, EndsLook
from gateway.core.inside.zip import read_zip
from tests.core.inside.samples import with_flag, zipped

LOCAL, ENTRY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def look(data: bytes, step: int = 50_000) -> Contents:
    reader = EndsLook(read_zip)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return reader.close()


def test_the_names_are_told_and_nothing_is_locked() -> None:
    assert look(zipped("a.txt", "folder/b.xml")) == Contents(("a.txt", "folder/b.xml"), Lock.OPEN)


def test_a_comment_behind_the_directory_is_passed_over() -> None:
    assert look(zipped("a.txt", comment=b"x" * 65_535)).members == ("a.txt",)


def test_an_empty_archive_has_no_names() -> None:
    assert look(zipped()) == Contents()


def test_names_beyond_ascii_are_read() -> None:
    assert look(zipped("Zoë.txt")).members == ("Zoë.txt",)
    old = zipped("Zoe.txt").replace(b"Zoe", b"Zo\x89")
    assert look(old).members == ("Zoë.txt",)


def test_a_name_that_cannot_be_shown_is_cut_and_replaced() -> None:
    long = "a\n" + "b" * 400
    assert look(zipped(long)).members == ("a\ufffd" + "b" * 253,)


@pytest.mark.parametrize("which", [0, 1])
def test_one_encrypted_entry_locks_the_archive(which: int) -> None:
    data = with_flag(zipped("a.txt", "b.txt"), ENTRY, 8, 0x1, which=which)
    assert look(data) == Contents(("a.txt", "b.txt"), Lock.ARCHIVE)


def test_aes_locks_the_archive_by_its_method_alone() -> None:
    assert look(with_flag(zipped("a.txt"), ENTRY, 10, 99)).lock is Lock.ARCHIVE


def test_other_flags_lock_nothing() -> None:
    assert look(with_flag(zipped("a.txt"), ENTRY, 8, 0x8 | 0x800)).lock is Lock.OPEN


def test_the_first_files_header_tells_where_the_directory_is_missing() -> None:
    data = with_flag(zipped("a.txt"), LOCAL, 6, 0x1)
    assert look(data[: data.index(ENTRY)]) == Contents(("a.txt",), Lock.ARCHIVE)


@pytest.mark.parametrize("first", ["[Content_Types].xml", "mimetype"])
def test_a_document_has_no_members_but_may_be_locked(first: str) -> None:
    data = zipped(first, "word/document.xml")
    assert look(data) == Contents()
    assert look(with_flag(data, ENTRY, 8, 0x1, which=1)) == Contents((), Lock.ARCHIVE)


def test_of_a_long_directory_the_last_part_and_a_bounded_number_of_names_is_read() -> None:
    names = [f"{'folder' * 20}/{number:05}.txt" for number in range(3000)]
    data = zipped(*names[:-1], "last.xml")
    found = look(with_flag(data, ENTRY, 8, 0x1, which=2999))
    assert found.lock is Lock.ARCHIVE
    assert found.members[-1] == "last.xml"
    assert 500 < len(found.members) <= 1000
    assert len(look(zipped(*(str(number) for number in range(1500)))).members) == 1000


def test_a_zip64_directory_is_found_by_its_own_record() -> None:
    data = zipped("a.txt", "b.txt")
    begin, end = data.index(ENTRY), data.index(END)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 2, 2, end - begin, begin)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    last = data[end : end + 8] + b"\xff" * 12 + b"\0\0"
    whole = with_flag(data[:end], ENTRY, 8, 0x1, which=1) + record + locator + last
    assert look(whole) == Contents(("a.txt", "b.txt"), Lock.ARCHIVE)
    assert look(data[:end] + locator + last).members == ("a.txt", "b.txt")


def test_a_nested_archive_is_not_read_as_the_outer_one() -> None:
    assert look(zipped("inner.zip", data=zipped("hidden.xml"))).members == ("inner.zip",)


@pytest.mark.parametrize("cut", [1, 5, 10, 21, 30])
def test_a_damaged_end_leaves_what_the_first_header_tells(cut: int) -> None:
    assert look(zipped("a.txt", "b.txt")[:-cut]).members in (("a.txt",), ("a.txt", "b.txt"))


@given(data=st.binary(max_size=200), at=st.integers(0, 200))
def test_any_bytes_give_some_contents(data: bytes, at: int) -> None:
    whole = zipped("a.txt", "b.txt")
    for damaged in (data, LOCAL + data, whole[:at] + data + whole[at + len(data) :], data + END + data):
        read_zip(Ends(damaged, damaged, len(damaged)))


@pytest.mark.peer("zip")
def test_what_zip_makes_is_understood(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("some text\n" * 100)
    for options, lock in ((["-P", "word"], Lock.ARCHIVE), ([], Lock.OPEN)):
        file = tmp_path / f"{lock.name}.zip"
        subprocess.run(["zip", "-q", *options, str(file), "secret.txt"], cwd=tmp_path, check=True)
        assert look(file.read_bytes()) == Contents(("secret.txt",), lock)
