"""Events on their way out of the spool: read in order from outside, and not swept before they are out."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.record import QueueId
from gateway.flow.ports import SpoolError
from gateway.spool.outgoing import events_after, last_seq, shards_of
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.audited import spoil, write
from tests.spool.samples import HOUR, START, StandingClock, commit, event


def test_events_are_read_in_pages_and_damaged_ones_are_named(tmp_path: Path) -> None:
    write(tmp_path, [event(QueueId(f"000-{number}")) for number in range(5)])
    [(shard, path)] = shards_of(tmp_path)
    spoil(tmp_path, "{")
    first = events_after(path, 0, 2)
    assert shard == 0 and [(kept.seq, kept.queue_id, kept.at) for kept in first] == [
        (1, "000-0", START),
        (2, "000-1", START),
    ]
    assert first[0].event is None and first[1].event == event(QueueId("000-1"))
    assert [kept.seq for kept in events_after(path, 2, 9)] == [3, 4, 5]
    assert last_seq(path) == 5


async def test_a_shard_without_events_has_no_number(tmp_path: Path) -> None:
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock()))
    await spool.aclose()
    [(_, path)] = shards_of(tmp_path)
    assert last_seq(path) == 0 and events_after(path, 0, 9) == ()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "shard-000").mkdir()
    path = tmp_path / "shard-000/spool.db"
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(SpoolError):
        last_seq(path)


async def test_events_are_not_swept_before_they_are_exported(tmp_path: Path) -> None:
    out = 0
    asked: list[int] = []

    def exported(shard: int) -> int:
        asked.append(shard)
        return out

    spool = await SqliteSpool.open(tmp_path, 4, SpoolParts(clock=StandingClock(), exported=exported))
    try:
        for _ in range(3):
            await commit(spool)
        late = START + HOUR + timedelta(seconds=1)
        assert await spool.sweep(late) == 0
        out = 2
        assert await spool.sweep(late) == 2
        [(_, path)] = shards_of(tmp_path)
        assert [kept.seq for kept in events_after(path, 0, 9)] == [3] and asked == [4, 4]
    finally:
        await spool.aclose()
