"""A changed file is noticed once it is still, and only if it belongs to the configuration in force."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.app.watch import Watch

LOOK = 0.02


class Watched:
    def __init__(self, folder: Path) -> None:
        self.files = [folder / "sealpost.toml", folder / "policy.toml"]
        for file in self.files:
            file.write_text("one")
        self.changes = 0
        self.looks = 0
        self._looked = asyncio.Event()

    def list(self) -> list[Path]:
        self.looks += 1
        self._looked.set()
        return self.files

    def changed(self) -> None:
        self.changes += 1

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                self._looked.clear()
                await self._looked.wait()

    async def look(self, times: int) -> None:
        wanted = self.looks + times
        await self.until(lambda: self.looks >= wanted)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    task = asyncio.create_task(Watch(watched.list, watched.changed, LOOK).run())
    await watched.look(2)  # The first one is over when the second begins.
    yield watched
    task.cancel()


async def test_a_change_is_told_once(watched: Watched) -> None:
    await watched.look(3)
    assert watched.changes == 0
    watched.files[1].write_text("two and more")
    await watched.until(lambda: watched.changes == 1)
    await watched.look(4)
    assert watched.changes == 1


async def test_a_file_that_is_replaced_or_goes_is_a_change(watched: Watched, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("one")
    changed_at = watched.files[0].stat().st_mtime_ns
    os.utime(other, ns=(changed_at, changed_at))
    other.replace(watched.files[0])
    await watched.until(lambda: watched.changes == 1)
    watched.files[1].unlink()
    await watched.until(lambda: watched.changes == 2)


async def test_other_files_and_another_list_are_no_change(watched: Watched, tmp_path: Path) -> None:
    extra = tmp_path / "register.csv"
    extra.write_text("a")
    watched.files.append(extra)
    await watched.look(3)
    assert watched.changes == 0
    extra.write_text("b,c")
    await watched.until(lambda: watched.changes == 1)


async def test_a_change_beside_another_list_is_told(watched: Watched, tmp_path: Path) -> None:
    extra = tmp_path / "register.csv"
    extra.write_text("a")
    # Both happen between two looks.
    watched.files[1].write_text("two and more")
    watched.files.append(extra)
    await watched.until(lambda: watched.changes == 1)
    await watched.look(4)
    assert watched.changes == 1


async def test_nothing_is_watched_where_nothing_is_listed(watched: Watched) -> None:
    gone, watched.files = watched.files, []
    await watched.look(2)
    gone[0].write_text("changed")
    await watched.look(3)
    assert watched.changes == 0
