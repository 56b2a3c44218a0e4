"""The power goes while mail is taken and delivered; the next opening finds everything that was acknowledged."""

from pathlib import Path
from random import Random

import pytest

from gateway.spool.sqlite import folder_of
from tests.spool.disks import Faults, opened
from tests.spool.power import Disk, Luck
from tests.spool.samples import START, body_of, commit, written
from tests.spool.trace import Made, Said, Step, Synced, Written, recorded
from tests.spool.victims import DIED, LARGE, OPTIONS

WORDS = 150
MOMENTS = 60
VICTIM = """
import sys
from pathlib import Path
from tests.spool.victims import take_mail_until_dead
take_mail_until_dead(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
"""


async def check(spool_dir: Path, before: list[Step]) -> None:
    """What was acknowledged before is there with its body, waiting or ended; a shard like this takes mail again."""
    said = [step.words for step in before if isinstance(step, Said)]
    committed = {queue_id for word, queue_id in said if word == "committed"}
    tried = {queue_id for word, queue_id in said if word == "trying"}
    async with opened(spool_dir, Faults(), OPTIONS) as spool:
        leases = await spool.claim(START, 10_000, frozenset())
        waiting = {lease.message.queue_id for lease in leases}
        ended = {event.queue_id for _, event in await spool.events(None, 0, 10_000) if event.text == "delivered"}
        assert committed <= waiting | ended
        assert committed - tried <= waiting
        assert waiting.isdisjoint(ended)
        for lease in leases:
            assert len(await body_of(spool, lease.message.body)) == lease.message.body.size
        new = await commit(spool, body=await written(spool, LARGE))
        assert [lease.message.queue_id for lease in await spool.claim(START, 9, frozenset())] == [new]
        assert spool.healthy


@pytest.mark.peer("strace")
async def test_everything_acknowledged_is_there_after_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    spool, acks = tmp_path / "spool", tmp_path / "acks"
    spool.mkdir()
    done = await recorded(spool, DIED, VICTIM, str(spool), str(acks), str(WORDS))
    database = folder_of(spool, 0) / "spool.db"
    ready = next(number for number, step in enumerate(done) if isinstance(step, Said))
    assert any(isinstance(step, Written) and step.path == database for step in done[ready:]), "the log was folded back"
    assert any(isinstance(step, Made) and step.path.parent.name == "bodies" for step in done)
    syncs = [number for number, step in enumerate(done) if isinstance(step, Synced)]
    random = Random(2)
    moments = {*random.sample(syncs, MOMENTS // 2), *random.sample(range(len(done)), MOMENTS // 2), len(done)}
    for moment in sorted(moments):
        for name, luck in (("none", Luck()), ("half", Luck(Random(moment)))):
            image = tmp_path / f"{name}-{moment}"
            Disk(done[:moment], luck).restore(spool, image)
            await check(image, done[:moment])
