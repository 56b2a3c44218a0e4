"""What the durable spool does when the disk fails it, and when what it kept is damaged."""

import asyncio
import errno
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from gateway.core.record import QueueId
from gateway.flow.ports import QueueFilter, SpoolError, SpoolFull
from gateway.spool.disk import SystemDisk
from gateway.spool.options import SpoolOptions
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.disks import Faults, files, opened, sqlite_error
from tests.spool.samples import START, StandingClock, body_of, commit, inline, settlement, written

NOWHERE = frozenset[str]()
LARGE = bytes(range(256)) * 2000


async def test_a_large_body_is_on_the_disk_with_its_name_before_the_row_that_refers_to_it(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        faults.steps.clear()
        await commit(spool, body=await written(spool, LARGE))
        order = [step for step in faults.steps if not step.startswith("write")]
    assert order == ["create", "sync", "sync folder bodies", "commit", "committed"]


async def test_the_file_of_a_message_goes_only_after_its_end_is_on_the_disk(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        await commit(spool, body=await written(spool, LARGE))
        (lease,) = await spool.claim(START, 1, NOWHERE)
        faults.steps.clear()
        await spool.settle(lease, settlement(lease))
    assert faults.steps == ["commit", "committed", "unlink"]


@pytest.mark.parametrize("step", ["create", "write", "write half", "sync", "sync folder bodies"])
async def test_a_full_disk_while_a_body_is_written_leaves_nothing_and_the_spool_intact(
    tmp_path: Path, step: str
) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        before = await commit(spool)
        faults.at[step] = OSError(errno.ENOSPC, "no space")
        with pytest.raises(SpoolFull):
            await written(spool, LARGE)
        faults.at.clear()
        assert spool.healthy
        after = await commit(spool, body=await written(spool, LARGE))
        assert [lease.message.queue_id for lease in await spool.claim(START, 9, NOWHERE)] == [before, after]
        assert len(files(spool)) == 1


@pytest.mark.parametrize("step", ["write", "sync", "sync folder bodies"])
async def test_after_an_io_error_of_a_body_the_shard_takes_and_gives_nothing(tmp_path: Path, step: str) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        queue_id = await commit(spool)
        faults.at[step] = OSError(errno.EIO, "input/output error")
        with pytest.raises(SpoolError):
            await written(spool, LARGE)
        faults.at.clear()
        assert not spool.healthy
        with pytest.raises(SpoolError):
            await commit(spool)
        with pytest.raises(SpoolError):
            await spool.claim(START, 1, NOWHERE)
        assert [item.message.queue_id for item in await spool.query(QueueFilter(), None, 9)] == [queue_id]
    async with opened(tmp_path, Faults()) as spool:
        assert [lease.message.queue_id for lease in await spool.claim(START, 9, NOWHERE)] == [queue_id]


async def test_an_error_of_another_kind_is_the_message_s_trouble_alone(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        faults.at["create"] = OSError(errno.EACCES, "permission denied")
        with pytest.raises(SpoolError):
            await written(spool, LARGE)
        assert spool.healthy


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
async def test_a_commit_that_the_disk_failed_is_never_tried_again(tmp_path: Path, code: int) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        await commit(spool)
        faults.at["commit"] = sqlite_error(code)
        with pytest.raises(SpoolError):
            await commit(spool)
        faults.at.clear()
        faults.steps.clear()
        assert not spool.healthy
        results = await asyncio.gather(*(commit(spool) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(result, SpoolError) and not isinstance(result, SpoolFull) for result in results)
        assert faults.steps == []


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE])
async def test_a_full_disk_at_a_commit_is_told_and_passes(tmp_path: Path, code: int) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        faults.at["commit"] = sqlite_error(code)
        with pytest.raises(SpoolFull):
            await commit(spool)
        faults.at.clear()
        assert spool.healthy
        queue_id = await commit(spool)
        assert [item.message.queue_id for item in await spool.query(QueueFilter(), None, 9)] == [queue_id]


@pytest.mark.parametrize(
    "fault", [MemoryError(), sqlite_error(sqlite3.SQLITE_IOERR_NOMEM), sqlite_error(sqlite3.SQLITE_IOERR_SHMMAP)]
)
async def test_a_commit_without_memory_fails_and_the_next_one_does_not(tmp_path: Path, fault: Exception) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        faults.at["commit"] = fault
        with pytest.raises(SpoolError):
            await commit(spool)
        faults.at.clear()
        assert spool.healthy
        queue_id = await commit(spool)
        assert [item.message.queue_id for item in await spool.query(QueueFilter(), None, 9)] == [queue_id]


async def test_a_settlement_that_found_the_disk_full_keeps_its_lease_for_another_try(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        await commit(spool)
        (lease,) = await spool.claim(START, 1, NOWHERE)
        faults.at["commit"] = sqlite_error(sqlite3.SQLITE_FULL)
        with pytest.raises(SpoolFull):
            await spool.settle(lease, settlement(lease))
        faults.at.clear()
        assert await spool.claim(START, 1, NOWHERE) == ()
        await spool.settle(lease, settlement(lease))
        assert (await spool.size()).oldest is None


class SmallDisk(SystemDisk):
    """Says how much is free."""

    def __init__(self) -> None:
        self.left = 1000

    def free(self, folder: Path) -> int:
        return self.left


async def test_below_the_reserve_no_mail_is_taken_and_what_is_there_is_settled(tmp_path: Path) -> None:
    disk = SmallDisk()
    parts = SpoolParts(clock=StandingClock(), disk=disk, options=SpoolOptions(reserve=900, log=100))
    spool = await SqliteSpool.open(tmp_path, 0, parts)
    try:
        begun = spool.bodies.writer()
        ref = await written(spool, LARGE)
        await commit(spool)
        disk.left = 999
        with pytest.raises(SpoolFull):
            await commit(spool, body=ref)
        with pytest.raises(SpoolFull):
            spool.bodies.writer()
        with pytest.raises(SpoolFull):
            begun.write(LARGE)
        (lease,) = await spool.claim(START, 1, NOWHERE)
        await spool.settle(lease, settlement(lease))
        assert spool.healthy
        disk.left = 1000
        await commit(spool, body=await written(spool, LARGE))
        spool.bodies.writer().discard()
    finally:
        await spool.aclose()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("reserve", [0, 300_000])
async def test_a_disk_that_is_really_full_answers_so_and_every_acknowledged_message_is_there(
    tmp_path: Path, reserve: int
) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)]
    if not runs(*mount):
        pytest.skip("a small file system cannot be mounted here")
    try:
        await fill_and_drain(tmp_path / "spool", reserve)
    finally:
        assert runs("umount", str(tmp_path))


def runs(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def fill_and_drain(spool_dir: Path, reserve: int) -> None:
    acked: set[QueueId] = set()
    async with opened(spool_dir, Faults(), SpoolOptions(reserve=reserve, log=reserve)) as spool:
        with pytest.raises(SpoolFull):
            for number in range(1000):
                body = await written(spool, LARGE[:150_000]) if number % 5 == 4 else inline(os.urandom(20_000))
                acked.add(await commit(spool, body=body))
        assert spool.healthy
        assert len(acked) > 10
        if reserve:
            for lease in await spool.claim(START, 5, NOWHERE):
                await spool.settle(lease, settlement(lease))
                acked.discard(lease.message.queue_id)
    assert runs("mount", "-o", "remount,size=20m", str(spool_dir.parent))
    async with opened(spool_dir, Faults(), SpoolOptions(reserve=0, log=0)) as spool:
        leases = await spool.claim(START, 1000, NOWHERE)
        assert {lease.message.queue_id for lease in leases} == acked
        for lease in leases:
            assert len(await body_of(spool, lease.message.body)) == lease.message.body.size
            await spool.settle(lease, settlement(lease))
        await commit(spool)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
async def test_without_a_file_name_left_only_large_mail_is_refused_and_what_ends_gives_names_back(
    tmp_path: Path,
) -> None:
    if not runs("mount", "-t", "tmpfs", "-o", "size=20m,nr_inodes=16", "tmpfs", str(tmp_path)):
        pytest.skip("a small file system cannot be mounted here")
    try:
        async with opened(tmp_path / "spool", Faults(), SpoolOptions(reserve=0, log=0)) as spool:
            with pytest.raises(SpoolFull):
                for _ in range(16):
                    await commit(spool, body=await written(spool, LARGE))
            large = files(spool)
            await commit(spool)
            leases = await spool.claim(START, 100, NOWHERE)
            assert len(leases) == len(large) + 1
            for lease in leases:
                assert len(await body_of(spool, lease.message.body)) == lease.message.body.size
            await spool.settle(leases[0], settlement(leases[0]))
            await spool.next_due()  # The writer answers when it has removed the file.
            await commit(spool, body=await written(spool, LARGE))
            assert spool.healthy
    finally:
        assert runs("umount", str(tmp_path))
