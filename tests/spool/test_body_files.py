"""Whose a body's file is: of its writer, then of a commit under way, then of a message, and else of nobody for long."""

import asyncio
import errno
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.progress import Ending
from gateway.core.record import Entry
from gateway.core.reply import Status
from gateway.core.report import Purpose, item_of
from gateway.flow.ports import LeaseLost, SpoolError, SpoolFull
from gateway.flow.post import Post
from gateway.spool.disk import SystemDisk
from gateway.spool.options import SpoolOptions
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.flow.gate import Gate
from tests.spool.disks import Faults, SteppedDisk, files, opened, sqlite_error
from tests.spool.samples import HOUR, START, StandingClock, body_of, commit, entry, event, row, settlement, written

NOWHERE = frozenset[str]()
LARGE = bytes(range(256)) * 2000
FULL = sqlite_error(sqlite3.SQLITE_FULL)


class Turnstile:
    """A disk whose commits each wait to be let through."""

    def __init__(self) -> None:
        self.disk = SteppedDisk(self._step)
        self._arrived = threading.Semaphore(0)
        self._through = threading.Semaphore(0)

    def _step(self, name: str) -> None:
        if name == "commit":
            self._arrived.release()
            assert self._through.acquire(timeout=30)

    async def arrival(self) -> None:
        assert await asyncio.to_thread(self._arrived.acquire, timeout=30)

    def let_through(self, commits: int = 1) -> None:
        self._through.release(commits)


async def held_spool(spool_dir: Path) -> tuple[SqliteSpool, Turnstile]:
    turnstile = Turnstile()
    return await SqliteSpool.open(spool_dir, 0, SpoolParts(clock=StandingClock(), disk=turnstile.disk)), turnstile


async def test_a_sweep_leaves_the_file_of_a_commit_that_is_under_way(tmp_path: Path) -> None:
    spool, turnstile = await held_spool(tmp_path)
    try:
        ref = await written(spool, LARGE)
        (spool.bodies.folder / "stray").write_bytes(b"x")
        sweeping = asyncio.create_task(spool.sweep(START))
        await turnstile.arrival()
        turnstile.let_through()  # The policies; the commit begins behind the events, before the look at the files.
        await turnstile.arrival()
        committing = asyncio.create_task(commit(spool, body=ref))
        await asyncio.sleep(0)
        turnstile.let_through()
        await turnstile.arrival()
        assert await sweeping == 1, "the stray file alone"
        turnstile.let_through()
        await committing
        (lease,) = await spool.claim(START, 1, NOWHERE)
        assert await body_of(spool, lease.message.body) == LARGE
    finally:
        turnstile.let_through(9)
        await spool.aclose()
    assert files(spool) == [ref.path]


async def test_a_commit_that_failed_leaves_no_file_even_if_its_caller_is_gone(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        kept = await written(spool, LARGE)
        await commit(spool, body=kept)
        faults.at["commit"] = FULL
        with pytest.raises(SpoolFull):
            await commit(spool, body=await written(spool, LARGE))
        leaving = asyncio.create_task(commit(spool, body=await written(spool, LARGE)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        with pytest.raises(SpoolFull):
            await commit(spool)
    assert files(spool) == [kept.path]


async def test_a_settlement_that_failed_leaves_no_file_of_its_report(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        await commit(spool)
        (lease,) = await spool.claim(START, 1, NOWHERE)
        faults.at["commit"] = FULL
        with pytest.raises(SpoolFull):
            await spool.settle(lease, replace(settlement(lease), entries=await report(spool)))
        faults.at.clear()
        report_at_last = await report(spool)
        await spool.settle(lease, replace(settlement(lease), entries=report_at_last))
    assert files(spool) == [report_at_last[0].message.body.path]


async def test_a_settlement_that_is_not_even_tried_leaves_no_file_of_its_report(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()) as spool:
        await commit(spool)
        (lost,) = await spool.claim(START, 1, NOWHERE)
        (lease,) = await spool.claim(lost.until + HOUR, 1, NOWHERE)
        with pytest.raises(LeaseLost):
            await spool.settle(lost, replace(settlement(lost), entries=await report(spool)))
        with pytest.raises(ValueError, match="rows of its lease"):
            await spool.settle(lease, replace(settlement(lease), rows=(row(7),), entries=await report(spool)))
        unwritable = (event(lease.message.queue_id, "\ud800"),)
        with pytest.raises(SpoolError):
            await spool.settle(lease, replace(settlement(lease), events=unwritable, entries=await report(spool)))
    assert files(spool) == []


async def test_an_entry_that_cannot_be_encoded_leaves_no_file(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()) as spool:
        (one,) = await report(spool)
        with pytest.raises(SpoolError):
            await spool.commit([replace(one, events=(event(one.message.queue_id, "\ud800"),))])
    assert files(spool) == []


async def report(spool: SqliteSpool) -> Sequence[Entry]:
    return (entry(spool.new_queue_id(), body=await written(spool, LARGE)),)


class DoubtfulDisk(SystemDisk):
    """Commits, and says that it could not."""

    doubtful = False

    def commit(self, db: sqlite3.Connection) -> None:
        super().commit(db)
        if self.doubtful:
            raise sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)


async def test_the_file_of_a_commit_in_doubt_is_there_when_the_next_opening_finds_its_message(tmp_path: Path) -> None:
    disk = DoubtfulDisk()
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock(), disk=disk))
    writer = spool.bodies.writer()
    writer.write(LARGE)
    ref = await writer.finish()
    disk.doubtful = True
    with pytest.raises(SpoolError):
        await commit(spool, body=ref)
    writer.discard()
    await spool.aclose()
    async with opened(tmp_path, Faults()) as spool:
        (lease,) = await spool.claim(START, 1, NOWHERE)
        assert await body_of(spool, lease.message.body) == LARGE


async def test_mail_of_ours_that_cannot_be_written_takes_what_was_written_with_it_along(tmp_path: Path) -> None:
    faults, gate = Faults(), Gate()
    async with opened(tmp_path, faults, SpoolOptions(inline=100)) as spool:
        await commit(spool)
        (lease,) = await spool.claim(START, 1, NOWHERE)
        item = replace(item_of(lease.rows[0], Status(5, 1, 1)), ending=Ending.FAILED)
        other, post = Post(spool, gate.shared), Post(spool, gate.shared)
        kept = await other.entry(Purpose.FAILED, lease.message, (item,))
        await post.entry(Purpose.FAILED, lease.message, (item,))
        assert len(files(spool)) == 2
        faults.at["sync"] = OSError(errno.ENOSPC, "no space")
        with pytest.raises(SpoolFull):
            await post.entry(Purpose.FAILED, lease.message, (item,))
        await spool.commit([kept])
    assert files(spool) == [kept.message.body.path]
