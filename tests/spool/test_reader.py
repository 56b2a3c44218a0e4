import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.record import EventKind, QueueId, State
from gateway.flow.ports import QueueFilter, SpoolError
from gateway.spool.reader import ShardReader
from gateway.spool.schema import open_for_reading
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of
from tests.spool.samples import HOUR, START, StandingClock, commit, entry, event, row, settlement

PARTS = SpoolParts(clock=StandingClock())


def everything(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*")}


async def two_shards(folder: Path) -> tuple[SqliteSpool, SqliteSpool]:
    return await SqliteSpool.open(folder, 0, PARTS), await SqliteSpool.open(folder, 1, PARTS)


async def test_all_shards_are_read_while_their_workers_run(tmp_path: Path) -> None:
    first, second = await two_shards(tmp_path)
    ids = [await commit(first), await commit(second, row(0), row(1, state=State.HELD)), await commit(second)]
    reader = ShardReader(tmp_path)
    before = everything(tmp_path)
    assert [item.message.queue_id for item in reader.items(QueueFilter())] == [ids[0], ids[1], ids[1], ids[2]]
    assert [item.message.queue_id for item in reader.items(QueueFilter(queue_id=ids[2]))] == [ids[2]]
    assert [item.row.number for item in reader.items(QueueFilter(states=frozenset({State.HELD})))] == [1]
    assert len(list(reader.items(QueueFilter(), 2))) == 2
    assert list(reader.items(QueueFilter(), 0)) == []
    assert reader.sizes().waiting == {State.QUEUED: 3, State.OPEN: 0, State.HELD: 1, State.PENDING: 0}
    assert reader.sizes().oldest == START
    assert everything(tmp_path) == before
    await first.aclose()
    await second.aclose()


async def test_more_than_a_page_is_read_whole_and_in_order(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, PARTS)
    ids = [await commit(spool, *(row(number) for number in range(150))) for _ in range(3)]
    reader = ShardReader(tmp_path)
    wanted = [(queue_id, number) for queue_id in ids for number in range(150)]
    found = [(item.message.queue_id, item.row.number) for item in reader.items(QueueFilter())]
    assert found == wanted
    found = [(item.message.queue_id, item.row.number) for item in reader.items(QueueFilter(), 401)]
    assert found == wanted[:401]
    await spool.aclose()


async def test_events_of_a_message_and_of_all_are_read_behind_a_number(tmp_path: Path) -> None:
    first, second = await two_shards(tmp_path)
    one, two = await commit(first), await commit(second)
    for spool in (first, second):
        (lease,) = await spool.claim(START, 1, frozenset())
        await spool.settle(lease, settlement(lease, State.QUEUED, due_at=START + HOUR))
    reader = ShardReader(tmp_path)
    told = list(reader.events(two))
    assert [(number, event.text) for number, event in told] == [(1, "accepted"), (2, "queued")]
    assert list(reader.events(two, after=1)) == told[1:]
    assert [event.queue_id for _, event in reader.events()] == [one, one, two, two]
    assert list(reader.events(QueueId("no queue id"))) == []
    assert [event.text for _, event in reader.find_events(f"<{one}@council.example>")] == ["accepted", "queued"]
    assert list(reader.find_events("")) == []
    await first.aclose()
    await second.aclose()


async def test_story_of_a_message_has_what_other_shards_say_of_it_by_time(tmp_path: Path) -> None:
    first, second = await two_shards(tmp_path)
    one = await commit(second)
    receipt = entry(first.new_queue_id())
    told = event(one, "displayed", at=START + HOUR, kind=EventKind.RECEIPT)
    await first.commit([replace(receipt, events=(told, *receipt.events))])
    (lease,) = await second.claim(START, 1, frozenset())
    await second.settle(lease, settlement(lease, State.QUEUED, due_at=START + HOUR))
    reader = ShardReader(tmp_path)
    assert [event.text for event in reader.story(one)] == ["accepted", "queued", "displayed"]
    assert [event.text for event in reader.story(receipt.message.queue_id)] == ["accepted"]
    assert [event.text for _, event in reader.events(one)] == ["accepted", "queued"]
    assert reader.story(QueueId("no queue id")) == ()
    await first.aclose()
    await second.aclose()


async def test_a_spool_whose_workers_have_stopped_is_read_and_nothing_is_made(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, PARTS)
    queue_id = await commit(spool)
    await spool.aclose()
    before = everything(tmp_path)
    assert not any(name.endswith(("-wal", "-shm")) for name in before)
    assert [item.message.queue_id for item in ShardReader(tmp_path).items(QueueFilter())] == [queue_id]
    assert everything(tmp_path) == before


def test_a_folder_without_a_spool_is_an_empty_one(tmp_path: Path) -> None:
    reader = ShardReader(tmp_path / "missing")
    assert list(reader.items(QueueFilter())) == []
    assert list(reader.events()) == []
    assert reader.sizes().oldest is None
    assert not (tmp_path / "missing").exists()


async def test_a_long_look_blocks_no_writer(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, PARTS)
    await commit(spool)
    db = open_for_reading(folder_of(tmp_path, 0) / "spool.db")
    db.execute("BEGIN")
    assert db.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    await commit(spool)
    assert db.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    db.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM messages")
    db.close()
    await spool.aclose()


async def test_what_is_damaged_is_passed_over_or_told(tmp_path: Path) -> None:
    (folder_of(tmp_path, 0)).mkdir(parents=True)
    (folder_of(tmp_path, 0) / "spool.db").write_bytes(b"damaged" * 5000)
    with pytest.raises(SpoolError, match="cannot read"):
        ShardReader(tmp_path).sizes()
    (folder_of(tmp_path, 0) / "spool.db").write_bytes(b"")
    with pytest.raises(SpoolError, match="version 0"):
        ShardReader(tmp_path).sizes()


async def test_the_beginning_of_a_message_is_read_from_its_row_and_from_its_file(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, PARTS)
    reader = ShardReader(tmp_path)
    for size in (50, 1_000_000):
        content = bytes(number % 251 for number in range(size))
        writer = spool.bodies.writer()
        for start in range(0, size, 200_000):
            writer.write(content[start : start + 200_000])
        body = await writer.finish()
        assert (body.path is None) is (size == 50)
        queue_id = await commit(spool, body=body)
        assert reader.beginning(queue_id, 40) == content[:40]
        assert reader.beginning(queue_id, 10_000_000) == content
        if body.path is not None:
            (tmp_path / "shard-000" / "bodies" / body.path).unlink()
            with pytest.raises(SpoolError, match="the body cannot be read"):
                reader.beginning(queue_id, 40)
    with pytest.raises(SpoolError, match="there is no message 000-x"):
        reader.beginning(QueueId("000-x"), 40)
    with pytest.raises(SpoolError, match="there is no message 001-x"):
        reader.beginning(QueueId("001-x"), 40)
    await spool.aclose()
