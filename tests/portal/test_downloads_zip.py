"""ZIP archives: what goes in comes out, by Python's reader and by 7-Zip, and little is in memory meanwhile."""

import asyncio
import io
import subprocess
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.file_names import unique
from gateway.portal.zip_stream import Entry, zipped

AT = datetime(2026, 11, 22, 15, 41, 7, tzinfo=UTC)


async def blocks(data: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def archive(files: list[tuple[str, bytes]]) -> bytes:
    return b"".join([block async for block in zipped([Entry(n, len(d), blocks(d)) for n, d in files], AT)])


_files = st.lists(
    st.tuples(st.text(st.characters(exclude_characters="/\\\x00", exclude_categories=["Cs"]), min_size=1, max_size=20),
              st.binary(max_size=60)), max_size=6)  # fmt: skip


@given(_files)
async def test_what_goes_in_comes_out(files: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(io.BytesIO(await archive(files))) as read:
        assert read.testzip() is None
        assert [read.read(one) for one in read.infolist()] == [data for _, data in files]
        assert [one.filename for one in read.infolist()] == unique([name for name, _ in files])


async def test_the_form_for_large_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    whole = await archive([("large.bin", bytes(200)), ("small.txt", b"x")])
    monkeypatch.undo()
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert [one.file_size for one in read.infolist()] == [200, 1]
    assert whole[4:6] == (45).to_bytes(2, "little")  # The version that it needs says so: 4.5 (section 4.4.3.2).


def seven_zip(*words: str) -> str:
    return subprocess.run(["7zz", *words], capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.mark.peer("7zz")
async def test_seven_zip_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    file.write_bytes(await archive([("Übersicht.txt", b"one"), ("übersicht.txt", b""), ("日本.bin", bytes(5000))]))
    assert "Everything is Ok" in await asyncio.to_thread(seven_zip, "t", str(file))
    await asyncio.to_thread(seven_zip, "x", f"-o{tmp_path / 'out'}", str(file))
    found = {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()}
    assert found == {"Übersicht.txt": b"one", "übersicht (2).txt": b"", "日本.bin": bytes(5000)}


async def test_a_block_is_sent_before_the_next_is_read() -> None:
    given_out: list[int] = []

    async def content() -> AsyncIterator[bytes]:
        for _ in range(20):
            given_out.append(len(given_out))
            yield bytes(256 * 1024)

    behind = 0
    async for block in zipped([Entry("a", 20 * 256 * 1024, content())], AT):
        assert len(block) < 257 * 1024
        behind += 1
        assert len(given_out) <= behind


def test_names_that_some_system_takes_for_one_are_numbered() -> None:
    assert unique(["a.txt", "A.TXT", "a.txt", "a (2).txt", "b", "b", ".c", ".c"]) == [
        "a.txt",
        "A (2).TXT",
        "a (3).txt",
        "a (2) (2).txt",
        "b",
        "b (2)",
        ".c",
        ".c (2)",
    ]
    assert len(set(unique(["x"] * 20_000))) == 20_000


@given(st.lists(st.sampled_from(["a", "A", "a (2)", "a (3)", "a (2) (2)", "b"]), max_size=12))
def test_numbered_names_are_different(names: list[str]) -> None:
    assert len({name.casefold() for name in unique(names)}) == len(names)
