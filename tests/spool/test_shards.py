import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.flow.ports import SpoolError
from gateway.spool.body_keys import BodyKeys
from gateway.spool.lock import Locked, SpoolLock
from gateway.spool.options import SpoolOptions
from gateway.spool.shards import Shards
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of
from tests.spool.samples import HOUR, START, StandingClock, commit, row, settlement

NOWHERE = frozenset[str]()
PARTS = SpoolParts(clock=StandingClock())


def test_a_lock_is_held_by_one_and_says_by_whom(tmp_path: Path) -> None:
    with SpoolLock(tmp_path / "lock") as held:
        assert held.held
        held.acquire()
        with pytest.raises(Locked, match=f"in use by process {os.getpid()}"):
            SpoolLock(tmp_path / "lock").acquire()
    assert not held.held
    held.release()
    with SpoolLock(tmp_path / "lock"):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot open"):
        SpoolLock(tmp_path / "file" / "lock").acquire()


def test_a_lock_makes_its_folder_for_us_alone(tmp_path: Path) -> None:
    with SpoolLock(tmp_path / "spool" / "lock"):
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from gateway.spool.lock import SpoolLock;"
        "SpoolLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=False)
    assert done.returncode == -9
    with SpoolLock(tmp_path / "lock"):
        pass


async def test_a_shard_has_one_owner(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 3, PARTS)
    with pytest.raises(Locked):
        await SqliteSpool.open(tmp_path, 3, PARTS)
    await spool.aclose()
    again = await SqliteSpool.open(tmp_path, 3, PARTS)
    await again.aclose()


def fail(*_: object) -> None:
    raise OSError(errno.EIO, "input/output error")


def unreadable(path: Path) -> None:
    raise SpoolError(f"cannot read {path}")


@pytest.mark.parametrize(
    ("step", "failing", "told"),
    [
        ("gateway.spool.sqlite.open_for_reading", unreadable, "cannot read"),
        ("gateway.spool.sqlite.remove_orphans", fail, "cannot use"),
        ("gateway.spool.lock.os.pwrite", fail, "cannot write"),
    ],
)
async def test_a_shard_that_could_not_be_opened_is_free_for_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failing: Callable[..., None], told: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(step, failing)
        with pytest.raises(SpoolError, match=told):
            await SqliteSpool.open(tmp_path, 3, PARTS)
    again = await SqliteSpool.open(tmp_path, 3, PARTS)
    await again.aclose()


async def test_the_files_of_a_spool_are_ours_alone(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path / "spool", 0, PARTS)
    await commit(spool)
    try:
        for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path
    finally:
        await spool.aclose()


async def test_a_spool_where_none_can_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError):
        await SqliteSpool.open(tmp_path / "file", 0, PARTS)


async def test_a_worker_whose_shard_is_taken_gets_the_first_that_is_free(tmp_path: Path) -> None:
    others = [await Shards.open(tmp_path, 2, PARTS), await Shards.open(tmp_path, 0, PARTS)]
    shards = await Shards.open(tmp_path, 2, PARTS)
    assert [one.own.shard for one in [*others, shards]] == [2, 0, 1]
    for one in [*others, shards]:
        await one.aclose()


async def test_a_shard_that_cannot_be_opened_is_named_until_it_can(tmp_path: Path) -> None:
    theirs = SpoolParts(clock=StandingClock(), options=SpoolOptions(keys=BodyKeys([b"o" * 32])))
    other = await SqliteSpool.open(tmp_path, 4, theirs)
    await commit(other)
    mine = SpoolParts(clock=StandingClock(), options=SpoolOptions(keys=BodyKeys([b"n" * 32])))
    shards = await Shards.open(tmp_path, 0, mine)
    assert await shards.adopt() == () and shards.unusable == {}, "its owner lives"
    await other.aclose()
    assert await shards.adopt() == ()
    assert list(shards.unusable) == [4] and "not among those of secrets.spool" in shards.unusable[4]
    await shards.aclose()
    shards = await Shards.open(tmp_path, 0, theirs)
    (adopted,) = await shards.adopt()
    assert adopted.shard == 4 and shards.unusable == {}
    await shards.aclose()


async def test_a_dead_worker_s_shard_is_adopted_drained_and_given_back(tmp_path: Path) -> None:
    dead = await SqliteSpool.open(tmp_path, 4, PARTS)
    left = await commit(dead, row(due_at=START + HOUR))
    empty = await SqliteSpool.open(tmp_path, 5, PARTS)
    shards = await Shards.open(tmp_path, 0, PARTS)
    assert await shards.adopt() == (), "its owner lives"
    await dead.aclose()
    await empty.aclose()
    (adopted,) = await shards.adopt()
    assert (adopted.shard, shards.owned) == (4, (shards.own, adopted))
    assert await shards.adopt() == ()
    assert not await shards.give_back(adopted), "something waits"
    (lease,) = await adopted.claim(START + HOUR, 1, NOWHERE)
    assert lease.message.queue_id == left
    await adopted.settle(lease, settlement(lease))
    assert not await shards.give_back(shards.own)
    assert await shards.give_back(adopted)
    assert shards.owned == (shards.own,)
    with SpoolLock(folder_of(tmp_path, 4) / "lock"):
        pass
    assert await shards.adopt() == (), "nothing waits in it any more"
    await shards.aclose()


async def test_a_shard_that_cannot_be_opened_is_left_and_the_next_adopted(tmp_path: Path) -> None:
    for shard in (1, 2):
        spool = await SqliteSpool.open(tmp_path, shard, PARTS)
        await commit(spool)
        await spool.aclose()
    (folder_of(tmp_path, 1) / "spool.db").write_bytes(b"damaged" * 5000)
    shards = await Shards.open(tmp_path, 0, PARTS)
    assert [spool.shard for spool in await shards.adopt()] == [2]
    await shards.aclose()
