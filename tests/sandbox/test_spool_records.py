"""The sandbox reads the gateway's real spool while the gateway holds it."""

import asyncio
from pathlib import Path

from gateway.core.record import QueueId, State
from gateway.sandbox.spool_records import SpoolRecords
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.samples import START, StandingClock, commit, row, settlement


async def test_events_and_waiting_recipients_are_seen_as_they_change(tmp_path: Path) -> None:
    records = SpoolRecords(tmp_path)
    spool = await SqliteSpool.open(tmp_path, 3, SpoolParts(clock=StandingClock()))
    try:
        other = await commit(spool, row(0))
        queue_id = await commit(spool, row(0), row(1, domain="two.example"))

        def look(after: int) -> tuple[list[tuple[int, str]], list[int]]:
            seen = [(number, event.text) for number, event in records.events(queue_id, after)]
            return seen, [waiting.number for waiting in records.waiting(queue_id)]

        seen, waiting = await asyncio.to_thread(look, 0)
        assert ([text for _, text in seen], waiting) == (["accepted"], [0, 1])
        leases = await spool.claim(START, 10, frozenset())
        (lease,) = [one for one in leases if one.message.queue_id == queue_id and one.rows[0].number == 0]
        await spool.settle(lease, settlement(lease, State.DELIVERED))
        seen, waiting = await asyncio.to_thread(look, seen[-1][0])
        assert ([text for _, text in seen], waiting) == (["delivered"], [1])
        found = await asyncio.to_thread(lambda: list(records.events_of(f"<{other}@council.example>")))
        assert {event.queue_id for event in found} == {other}
    finally:
        await spool.aclose()


def test_a_spool_that_is_not_there_yet_has_no_records(tmp_path: Path) -> None:
    records = SpoolRecords(tmp_path / "none")
    assert list(records.events(QueueId("000-x"), 0)) == []
    assert records.waiting(QueueId("000-x")) == ()
    assert list(records.events_of("<a@b>")) == []
