"""What a claim costs, counted in steps of SQLite's machine, whatever else waits."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.record import QueueId
from gateway.spool.changeset import Changeset, apply
from gateway.spool.due import Wanted, find_due, next_due
from gateway.spool.schema import open_for_writing

EVERY = 10
"""Steps between two counts."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_for_writing(tmp_path / "spool.db", 2**20)
    yield opened
    opened.close()


def fill(db: sqlite3.Connection, hop: str, rows: int, due_at: int, *, recipients: int = 1) -> None:
    change = Changeset()
    for number in range(rows):
        queue_id = f"000-{hop}-{number // recipients:08d}"
        if number % recipients == 0:
            change.messages.append((queue_id, 0, "p", None, "{}", b""))
        change.recipients.append((queue_id, number % recipients, "queued", "d", hop, due_at + number, "{}"))
    apply(db, [change])


def wanted(
    *not_to: str, limit: int = 3, now: int = 10**9, taken: frozenset[tuple[QueueId, str]] = frozenset()
) -> Wanted:
    return Wanted(now=now, limit=limit, not_to=frozenset(not_to), taken=taken)


def steps(db: sqlite3.Connection, wanted: Wanted) -> tuple[list[str], int]:
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    db.set_progress_handler(count, EVERY)
    found = find_due(db, wanted)
    db.set_progress_handler(None, EVERY)
    return [one.queue_id for one in found], counted * EVERY


@pytest.mark.parametrize("rows", [10, 5000])
def test_a_paused_destination_costs_the_same_with_few_rows_and_with_thousands(
    db: sqlite3.Connection, rows: int
) -> None:
    fill(db, "busy", rows, 0)
    fill(db, "free", 2, 10**6)
    found, cost = steps(db, wanted("busy"))
    assert found == ["000-free-00000000", "000-free-00000001"]
    assert cost < 500


@pytest.mark.parametrize("rows", [100, 5000])
def test_a_claim_from_a_long_queue_costs_what_it_takes(db: sqlite3.Connection, rows: int) -> None:
    fill(db, "long", rows, 0)
    found, cost = steps(db, wanted())
    assert found == [f"000-long-{number:08d}" for number in range(3)]
    assert cost < 1500


def test_destinations_that_wait_for_later_cost_nothing(db: sqlite3.Connection) -> None:
    for number in range(500):
        fill(db, f"later-{number}", 1, 10**12)
    fill(db, "now", 1, 0)
    assert steps(db, wanted()) == (["000-now-00000000"], pytest.approx(0, abs=500))


def test_a_destination_whose_rows_are_gone_is_looked_at_once(db: sqlite3.Connection) -> None:
    for number in range(300):
        fill(db, f"gone-{number}", 1, 0)
    db.executescript("DELETE FROM recipients; DELETE FROM messages")
    assert find_due(db, wanted()) == []
    assert db.execute("SELECT count(*) FROM hops").fetchone() == (0,)
    fill(db, "gone-7", 1, 5)
    assert [one.next_hop for one in find_due(db, wanted())] == ["gone-7"]


def test_a_destination_that_was_deferred_is_found_when_it_is_due(db: sqlite3.Connection) -> None:
    fill(db, "hop", 1, 0)
    db.execute("UPDATE recipients SET due_at = 500")
    assert find_due(db, wanted(now=499)) == []
    assert db.execute("SELECT due_at FROM hops").fetchone() == (500,)
    assert len(find_due(db, wanted(now=500))) == 1


def test_a_message_with_many_recipients_at_one_hop_does_not_hide_the_next(db: sqlite3.Connection) -> None:
    fill(db, "hop", 100, 0, recipients=50)
    found = find_due(db, wanted())
    assert [(one.queue_id, len(one.rows)) for one in found] == [("000-hop-00000000", 50), ("000-hop-00000001", 50)]


def test_next_due_looks_behind_what_is_taken_and_paused(db: sqlite3.Connection) -> None:
    fill(db, "a", 40, 100)
    fill(db, "b", 1, 150)
    taken = frozenset((QueueId(f"000-a-{number:08d}"), "a") for number in range(39))
    assert next_due(db, wanted()) == 100
    assert next_due(db, wanted(taken=taken)) == 139
    assert next_due(db, wanted("a", taken=taken)) == 150
    assert next_due(db, wanted("a", "b")) is None


def test_the_bounds_of_the_hops_are_there_again_after_an_opening(tmp_path: Path) -> None:
    db = open_for_writing(tmp_path / "spool.db", 2**20)
    fill(db, "a", 3, 7)
    db.close()
    db = open_for_writing(tmp_path / "spool.db", 2**20)
    assert db.execute("SELECT next_hop, due_at FROM hops").fetchall() == [("a", 7)]
    db.close()
