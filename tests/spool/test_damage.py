"""What the durable spool does when what it kept is damaged, or belongs to nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.record import QueueId, State
from gateway.flow.ports import QueueFilter, SpoolError
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of
from tests.spool.disks import Faults, damage, files, opened
from tests.spool.samples import HOUR, START, StandingClock, body_of, commit, written

NOWHERE = frozenset[str]()
LARGE = bytes(range(256)) * 2000


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE messages SET record = '{\"message\":' WHERE queue_id = (SELECT min(queue_id) FROM messages)",
        "UPDATE recipients SET record = '' WHERE queue_id = (SELECT min(queue_id) FROM messages)",
        "DELETE FROM messages WHERE queue_id = (SELECT min(queue_id) FROM messages)",
    ],
)
async def test_a_message_that_cannot_be_read_is_set_aside_and_told_once_and_the_rest_goes_on(
    tmp_path: Path, sql: str
) -> None:
    async with opened(tmp_path, Faults()) as spool:
        bad, good = await commit(spool), await commit(spool)
    damage(tmp_path, sql)
    told: list[QueueId] = []
    parts = SpoolParts(clock=StandingClock(), aside=lambda queue_id, reason: told.append(queue_id))
    spool = await SqliteSpool.open(tmp_path, 0, parts)
    try:
        leases = await spool.claim(START, 10, NOWHERE)
        assert [lease.message.queue_id for lease in leases] == [good]
        later = await spool.claim(START + 100 * HOUR, 10, NOWHERE)
        assert [lease.message.queue_id for lease in later] == [good]
        assert told == [bad]
        assert (await spool.size()).waiting[State.QUEUED] == 2
        assert [item.message.queue_id for item in await spool.query(QueueFilter(), None, 1)] == [good]
        assert spool.healthy
    finally:
        await spool.aclose()


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(LARGE[:-1] + b"!")])
async def test_a_body_whose_file_is_gone_or_changed_is_an_error_to_its_reader_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, Faults()) as spool:
        ref = await written(spool, LARGE)
        await commit(spool, body=ref)
        spoil(spool.bodies.folder / str(ref.path))
        with pytest.raises(SpoolError):
            await body_of(spool, ref)
        assert spool.healthy


async def test_files_without_a_message_are_removed_at_the_opening(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()) as spool:
        kept = await written(spool, LARGE)
        await commit(spool, body=kept)
        await written(spool, LARGE)
        assert len(files(spool)) == 2
    async with opened(tmp_path, Faults()) as spool:
        assert files(spool) == [kept.path]


async def test_a_file_that_no_writer_and_no_message_has_is_swept(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as spool:
        (spool.bodies.folder / "stray").write_bytes(b"x")
        await commit(spool, body=await written(spool, LARGE))
        assert await spool.sweep(START) == 1
    assert faults.steps[-1] == "unlink"
    assert [path.name for path in (folder_of(tmp_path, 0) / "bodies").iterdir()] != ["stray"]


async def test_a_database_that_is_none_cannot_be_opened_and_its_lock_is_free_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 0)
    (folder / "bodies").mkdir(parents=True)
    (folder / "spool.db").write_bytes(b"this is no database, whatever it is" * 100)
    for _ in range(2):
        with pytest.raises(SpoolError, match="cannot use"):
            await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock()))


async def test_a_spool_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults()):
        pass
    damage(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(SpoolError, match="version 99"):
        await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock()))
