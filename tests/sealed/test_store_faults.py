"""The store of sealed messages on a disk that fails it: no rest is left, and a file that was swapped is noticed."""

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core.sealed import Access
from gateway.flow.ports import SealedStoreError
from gateway.sealed.keys import Keyring, new_keyring
from gateway.sealed.store import SealedFiles
from tests.contract.test_sealed import NOW, RAW, given_out, opened, package, whole

LARGE = RAW + b"x" * 1_000_000


@pytest.fixture
def keyring() -> Keyring:
    return new_keyring()


@contextmanager
def files_at_most(size: int) -> Generator[None]:
    """No file of this process may grow beyond that, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("raw", "room"), [(LARGE, 200_000), (RAW, 100), (RAW, 0)])
async def test_what_no_longer_fits_leaves_nothing_behind(
    raw: bytes, room: int, tmp_path: Path, keyring: Keyring
) -> None:
    folder = tmp_path / "sealed"
    async with opened(folder, keyring) as store:
        with files_at_most(room), pytest.raises(SealedStoreError, match=os.strerror(errno.EFBIG)):
            await store.seal(package(), given_out(raw, 50_000))
        assert list((folder / "files").iterdir()) == []
        assert await store.list(NOW) == ()
        sealed = await store.seal(package(), given_out(raw, 50_000))
        assert await whole(store.read(sealed)) == raw


async def test_a_store_that_is_gone_is_not_written_into_and_goes_on_from_a_copy(
    tmp_path: Path, keyring: Keyring
) -> None:
    folder, copy = tmp_path / "sealed", tmp_path / "copy"
    async with opened(folder, keyring) as store:
        first = await store.seal(package("d1"), given_out())
        shutil.copytree(folder, copy)
        shutil.rmtree(folder)
        with pytest.raises(SealedStoreError):
            await store.seal(package("d2"), given_out())
        assert not await store.healthy()
        copy.rename(folder)
        second = await store.seal(package("d2"), given_out())
        assert await whole(store.read(first)) == await whole(store.read(second)) == RAW
    async with opened(folder, keyring) as store:
        # What was said to be kept is in the file that bears the name.
        for sealed in (first, second):
            found = await store.find((await store.secrets(sealed))[3].token, NOW)
            assert found is not None and found.access is Access.OPEN


async def test_another_store_in_its_place_is_not_used(tmp_path: Path, keyring: Keyring) -> None:
    folder, other = tmp_path / "sealed", tmp_path / "other"
    async with opened(folder, keyring) as store:
        await store.seal(package("d1"), given_out())
        async with opened(other, keyring):
            pass
        folder.rename(tmp_path / "away")
        other.rename(folder)
        with pytest.raises(SealedStoreError, match="is not the one that was opened"):
            await store.seal(package("d2"), given_out())
        folder.rename(other)
        (tmp_path / "away").rename(folder)
        await store.seal(package("d2"), given_out())


async def test_a_database_that_is_gone_is_not_made_anew_while_in_use(tmp_path: Path, keyring: Keyring) -> None:
    folder = tmp_path / "sealed"
    async with opened(folder, keyring) as store:
        (folder / "sealed.db").rename(tmp_path / "away.db")
        with pytest.raises(SealedStoreError):
            await store.list(NOW)
        assert not (folder / "sealed.db").exists()


async def test_what_cannot_be_opened_is_named_with_what_to_do(tmp_path: Path, keyring: Keyring) -> None:
    folder = tmp_path / "sealed"
    async with opened(folder, keyring):
        pass
    with pytest.raises(SealedStoreError) as caught:
        await SealedFiles.open(folder, new_keyring("second"), None)  # type: ignore[arg-type]
    assert str(folder / "sealed.db") in str(caught.value) and "secrets.sealing" in str(caught.value)
    for path in folder.glob("sealed.db*"):
        path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(SealedStoreError) as caught:
        await SealedFiles.open(folder, keyring, None)  # type: ignore[arg-type]
    text = str(caught.value)
    assert str(folder / "sealed.db") in text and "not a database" in text and "backup" in text
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    with pytest.raises(SealedStoreError, match=str(folder)):
        await SealedFiles.open(folder, keyring, None)  # type: ignore[arg-type]


async def test_a_damaged_database_is_said_and_goes_on_when_it_is_whole(tmp_path: Path, keyring: Keyring) -> None:
    folder = tmp_path / "sealed"
    async with opened(folder, keyring) as store:
        await store.seal(package("d1"), given_out())
    whole_one = (folder / "sealed.db").read_bytes()
    async with opened(folder, keyring) as store:
        damaged = tmp_path / "damaged.db"
        damaged.write_bytes(whole_one[:4096] + b"\xff" * (len(whole_one) - 4096))
        damaged.replace(folder / "sealed.db")
        with pytest.raises(SealedStoreError):
            await store.seal(package("d2"), given_out())
        assert len(list((folder / "files").iterdir())) == 1
        mended = tmp_path / "mended.db"
        mended.write_bytes(whole_one)
        mended.replace(folder / "sealed.db")
        for path in folder.glob("sealed.db-*"):
            path.unlink()
        await store.seal(package("d2"), given_out())
        with sqlite3.connect(folder / "sealed.db") as db:
            assert db.execute("SELECT count(*) FROM packages").fetchone() == (2,)
        db.close()


async def test_who_lies_sealed_already_is_known_by_the_delivery(tmp_path: Path, keyring: Keyring) -> None:
    async with opened(tmp_path / "sealed", keyring) as store:
        sealed = await store.seal(package("q/1/3.7"), given_out())
        await store.seal(package("q/12/3.7"), given_out())
        await store.seal(package("q/1"), given_out())
        assert await store.already("q/1", [7, 8]) == {7: sealed}
        assert await store.already("q/1", [8]) == await store.already("q/2", [3]) == {}
        await store.erase(sealed, NOW, "anna")
        assert await store.already("q/1", [8]) == {}
        with pytest.raises(SealedStoreError, match="erased since"):
            await store.already("q/1", [7])
