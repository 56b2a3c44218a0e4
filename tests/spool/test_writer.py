"""The writer's thread: groups, cancelled callers, what it leaves behind, and its end."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.record import QueueId, State
from gateway.flow.ports import SpoolError, SpoolFull
from gateway.spool import writer
from gateway.spool.changes import retry
from gateway.spool.disk import SystemDisk
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of
from gateway.spool.writer import Writer
from tests.spool.disks import Faults, damage, opened, sqlite_error
from tests.spool.samples import HOUR, START, StandingClock, body_of, commit, entry, row, settlement, written

NOWHERE = frozenset[str]()
LARGE = bytes(range(256)) * 2000


class Gate(SystemDisk):
    """Holds each commit until it is let go."""

    def __init__(self) -> None:
        self.commits = 0
        self.waiting = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def commit(self, db: sqlite3.Connection) -> None:
        self.commits += 1
        self.waiting.release()
        self.go.acquire()
        super().commit(db)


async def test_all_that_waited_for_a_commit_shares_the_next_one(tmp_path: Path) -> None:
    gate = Gate()
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock(), disk=gate))
    async with asyncio.TaskGroup() as group:
        group.create_task(commit(spool))
        await asyncio.to_thread(gate.waiting.acquire)
        for _ in range(20):
            group.create_task(commit(spool))
        await asyncio.sleep(0)
        gate.go.release(2)
    assert gate.commits == 2
    await spool.aclose()


async def test_a_commit_whose_caller_is_cancelled_is_kept_with_its_body(tmp_path: Path) -> None:
    gate = Gate()
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock(), disk=gate))
    writer = spool.bodies.writer()
    writer.write(LARGE)
    ref = await writer.finish()
    given = asyncio.create_task(spool.commit([entry(QueueId("000-x"), row(), body=ref)]))
    await asyncio.to_thread(gate.waiting.acquire)
    given.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given
    writer.discard()
    gate.go.release()
    (lease,) = await spool.claim(START, 1, NOWHERE)
    assert await body_of(spool, lease.message.body) == LARGE
    await spool.aclose()


async def test_a_settlement_whose_caller_is_cancelled_is_kept_and_its_lease_ends(tmp_path: Path) -> None:
    gate = Gate()
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock(), disk=gate))
    gate.go.release()
    await commit(spool)
    await asyncio.to_thread(gate.waiting.acquire)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    later = settlement(lease, State.QUEUED, due_at=START + HOUR)
    settling = asyncio.create_task(spool.settle(lease, later))
    await asyncio.to_thread(gate.waiting.acquire)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    gate.go.release(2)
    await spool.keep_policy("p", b"")  # A commit behind it.
    (again,) = await spool.claim(START + HOUR, 1, NOWHERE)
    assert again.rows[0].attempts == 1
    await spool.aclose()


async def test_a_shard_without_work_empties_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_IDLE", 0.01)
    async with opened(tmp_path, Faults()) as spool:
        await commit(spool)
        log = folder_of(tmp_path, 0) / "spool.db-wal"
        while log.stat().st_size:  # noqa: ASYNC110  the file is all there is to see
            await asyncio.sleep(0.01)
        assert (await spool.size()).waiting[State.QUEUED] == 1


@pytest.mark.parametrize("size", [1000, 100_000, 512_000])
async def test_what_was_delivered_is_in_no_file_any_more(tmp_path: Path, size: int) -> None:
    secret = b"the very secret word" * (size // 20)

    def traces() -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and b"very secret" in path.read_bytes()]

    async with opened(tmp_path, Faults()) as spool:
        await commit(spool, body=await written(spool, secret))
        (lease,) = await spool.claim(START, 1, NOWHERE)
        assert traces()
        await spool.settle(lease, settlement(lease))
    assert traces() == []


async def test_a_question_that_cannot_be_answered_is_a_spool_error(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()) as spool:
        await commit(spool)
        damage(tmp_path, "DROP TABLE events")
        with pytest.raises(SpoolError, match="cannot be read"):
            await spool.events(None, 0, 1)
        with pytest.raises(SpoolError, match="could not do it"):
            await commit(spool)
        assert spool.healthy
        damage(tmp_path, "DROP TABLE recipients")
        with pytest.raises(SpoolError, match="could not do it"):
            await spool.claim(START, 1, NOWHERE)


async def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()) as spool:
        pass
    assert not spool.healthy
    with pytest.raises(SpoolError):
        await commit(spool)
    with pytest.raises(SpoolError):
        await spool.size()
    await spool.aclose()


async def test_an_operator_s_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        queue_id = await commit(spool, row(0, due_at=START + HOUR), row(1, due_at=START + HOUR))
        faults.at["commit"] = sqlite_error(sqlite3.SQLITE_FULL)
        with pytest.raises(SpoolFull):
            await spool.operate(queue_id, None, retry("alex", START))
        faults.at.clear()
        assert await spool.claim(START, 1, NOWHERE) == ()
        assert await spool.operate(queue_id, None, retry("alex", START)) == 2


async def test_what_was_delivered_while_a_claim_looked_is_not_claimed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock()))
    new, other = entry(spool.new_queue_id(), row()), entry(spool.new_queue_id(), row())
    await spool.commit([new, other])
    look = Writer.read

    async def deliver_behind_it(self: Writer, run: Callable[[sqlite3.Connection], object]) -> object:
        found = await look(self, run)
        lease = spool.lease(new, new.rows[0].next_hop)
        assert lease is not None
        await spool.settle(lease, settlement(lease))
        return found

    monkeypatch.setattr(Writer, "read", deliver_behind_it)
    leases = await spool.claim(START, 10, NOWHERE)
    assert [lease.message.queue_id for lease in leases] == [other.message.queue_id]
    await spool.aclose()


async def test_a_process_whose_writer_died_ends_and_keeps_no_client_waiting(tmp_path: Path) -> None:
    dying = """
import asyncio, sys
from pathlib import Path
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from gateway.spool.writer import Writer
from tests.spool.samples import StandingClock, commit

def no_memory(*_):
    raise MemoryError

async def main():
    spool = await SqliteSpool.open(Path(sys.argv[1]), 0, SpoolParts(clock=StandingClock()))
    Writer._deliver = no_memory
    await commit(spool)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", dying, str(tmp_path), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(15):
        _, said = await process.communicate()
    assert process.returncode == os.EX_SOFTWARE
    assert b"MemoryError" in said
