"""What a spool owes to those who come after a crash: at each step of every operation, and under load."""

import asyncio
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from gateway.core.record import QueueId, State
from gateway.flow.ports import QueueFilter, QueueItem
from gateway.spool.reader import ShardReader
from gateway.spool.shards import Shards
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.fakes.forked import forked
from tests.spool import victims
from tests.spool.samples import START, StandingClock, body_of, commit, settlement

EVERY_STATE = QueueFilter(states=frozenset(State))


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return forked()


def told(acks: Path) -> list[list[str]]:
    return [line.split() for line in acks.read_text().splitlines()] if acks.exists() else []


class Aftermath:
    """What is there after the crash."""

    def __init__(self, items: tuple[QueueItem, ...]) -> None:
        self.items = items
        self.rows: dict[str, list[QueueItem]] = {}
        for item in items:
            self.rows.setdefault(item.message.queue_id, []).append(item)

    def complete(self, queue_id: str) -> bool:
        rows = self.rows.get(queue_id, [])
        return bool(rows) and len(rows) == len(rows[0].message.envelope.recipients)


async def look(spool: SqliteSpool) -> tuple[Aftermath, dict[str, list[str]]]:
    items = await spool.query(EVERY_STATE, None, 10_000)
    events: dict[str, list[str]] = {}
    for _, event in await spool.events(None, 0, 10_000):
        events.setdefault(event.queue_id, []).append(event.text)
    return Aftermath(items), events


async def check(spool_dir: Path, acks: list[list[str]]) -> None:
    """Acknowledged means there and whole; anything else is there as a whole, or not at all."""
    seen = list(ShardReader(spool_dir).items(EVERY_STATE)) if (spool_dir / "shard-000/spool.db-wal").exists() else None
    spool = await SqliteSpool.open(spool_dir, 0, SpoolParts(clock=StandingClock(), options=victims.OPTIONS))
    try:
        after, events = await look(spool)
        assert seen is None or tuple(seen) == after.items, "a reader sees what the owner will find"
        for queue_id, texts in events.items():
            ended = {"reported", "deleted by alex: test"} & set(texts)
            assert after.complete(queue_id) != bool(ended), "a message without its events, or events without it"
        assert set(after.rows) <= set(events)
        for words in acks:
            check_ack(words, after, events)
        files = {path.name for path in spool.bodies.folder.iterdir()}
        assert files == {item.message.body.path for item in after.items if item.message.body.path}
        await commit(spool)
        for lease in await spool.claim(START.replace(year=2027), 100, frozenset()):
            assert len(await body_of(spool, lease.message.body)) == lease.message.body.size
            await spool.settle(lease, settlement(lease))
        assert await spool.next_due() is None
    finally:
        await spool.aclose()


def check_ack(words: list[str], after: Aftermath, events: dict[str, list[str]]) -> None:
    match words:
        case ["small" | "large", queue_id]:
            assert "accepted" in events[queue_id]
        case ["trying", first, second]:
            assert (first in events) == (second in events)
        case ["both", first, second]:
            assert first in events and second in events
        case ["causing", cause, report]:
            assert ("reported" in events[cause]) == after.complete(report)
        case ["reported", cause, report]:
            assert "reported" in events[cause] and cause not in after.rows and after.complete(report)
        case ["deferred", queue_id]:
            assert after.rows[queue_id][0].row.attempts == 1
        case ["deleted", queue_id]:
            assert queue_id not in after.rows
        case _:
            raise AssertionError(words)


def run(process: BaseProcess) -> int | None:
    process.start()
    process.join(30)
    code = process.exitcode
    process.close()
    return code


async def test_a_crash_at_any_step_keeps_what_was_acknowledged_and_nothing_by_halves(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    lines: list[int] = []
    for step in range(1, 200):
        spool_dir, acks = tmp_path / f"spool-{step}", tmp_path / f"acks-{step}"
        code = run(processes.Process(target=victims.die_at_step, args=(spool_dir, acks, step)))
        assert code in (0, victims.DIED)
        lines.append(len(told(acks)))
        await check(spool_dir, told(acks))
        if code == 0:
            break
    assert lines[0] == 0 and lines[-1] == 8, "the story was told from no word to all of it"
    assert len(lines) > 30
    assert lines == sorted(lines)


async def test_a_killed_worker_s_mail_is_adopted_and_every_acknowledged_message_reaches_its_end(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    spool_dir = tmp_path / "spool"
    dead: list[BaseProcess] = [
        processes.Process(target=victims.take_mail_until_killed, args=(spool_dir, shard, tmp_path / f"acks-{shard}"))
        for shard in (1, 2)
    ]
    try:
        for process in dead:
            process.start()
        while any(len(told(tmp_path / f"acks-{shard}")) < 200 for shard in (1, 2)):
            assert all(process.is_alive() for process in dead)
            await asyncio.sleep(0.01)
        await survive(spool_dir, dead, tmp_path)
    finally:
        for process in dead:
            process.kill()
            process.join()


async def survive(spool_dir: Path, dead: list[BaseProcess], tmp_path: Path) -> None:
    shards = await Shards.open(spool_dir, 1, SpoolParts(clock=StandingClock(), options=victims.OPTIONS))
    try:
        assert shards.own.shard == 0, "its usual shard is another's"
        assert await shards.adopt() == ()
        for process in dead:
            process.kill()
            process.join()
        assert {spool.shard for spool in await shards.adopt()} == {1, 2}
        acked = [words for shard in (1, 2) for words in told(tmp_path / f"acks-{shard}")]
        committed = {words[1] for words in acked if words[0] == "committed"}
        ended = await drain(shards)
        assert committed <= ended
        for spool in shards.owned[1:]:
            assert (await spool.size()).waiting[State.QUEUED] == 0
            assert list(spool.bodies.folder.iterdir()) == []
            assert await shards.give_back(spool)
        assert len(shards.owned) == 1
    finally:
        await shards.aclose()


async def drain(shards: Shards) -> set[QueueId]:
    """Delivers everything; returns which messages have an end, those of the dead included."""
    for spool in shards.owned:
        while leases := await spool.claim(START, 50, frozenset()):
            for lease in leases:
                assert len(await body_of(spool, lease.message.body)) == lease.message.body.size
                await spool.settle(lease, settlement(lease))
    reader = ShardReader(shards.own.bodies.folder.parent.parent)
    return {event.queue_id for _, event in reader.events() if event.text == "delivered"}
