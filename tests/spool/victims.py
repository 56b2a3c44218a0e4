"""What runs in a process that is going to die; its acknowledgements are lines in a file, which outlives it."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from gateway.core.record import State
from gateway.flow.ports import Spool
from gateway.spool.body_keys import BodyKeys
from gateway.spool.changes import delete
from gateway.spool.options import SpoolOptions
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.disks import SteppedDisk
from tests.spool.samples import HOUR, START, StandingClock, commit, entry, inline, row, settlement, written

LARGE = bytes(range(256)) * 1000
DIED = 77
OPTIONS = SpoolOptions(keys=BodyKeys([b"v" * 32]))


class Acks:
    """Appends lines that are there for the survivors at once."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


def die_at_step(spool_dir: Path, acks: Path, last: int) -> None:
    """A story of every operation; the process dies at the step of that number, and exits 0 if there are fewer."""
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os._exit(DIED)

    asyncio.run(_story(spool_dir, Acks(acks), SteppedDisk(step)))


async def _story(spool_dir: Path, acks: Acks, disk: SteppedDisk) -> None:
    spool = await SqliteSpool.open(spool_dir, 0, SpoolParts(clock=StandingClock(), disk=disk, options=OPTIONS))
    acks.say("small", await commit(spool, row(0), row(1, domain="two.example")))
    acks.say("large", await commit(spool, row(0, domain="large.example"), body=await written(spool, LARGE)))
    both = [spool.new_queue_id(), spool.new_queue_id()]
    acks.say("trying", *both)
    late = row(0, due_at=START + HOUR, domain="late.example")
    await spool.commit(
        [entry(both[0], late, body=await written(spool, LARGE)), entry(both[1], late, body=inline(b"x"))]
    )
    acks.say("both", *both)
    await _attempts(spool, acks)
    given_up = spool.bodies.writer()
    given_up.write(LARGE)
    given_up.discard()
    await spool.sweep(START)
    await spool.operate(both[0], None, delete("alex", "test", START))
    acks.say("deleted", both[0])
    await spool.aclose()


async def _attempts(spool: Spool, acks: Acks) -> None:
    for lease in await spool.claim(START, 10, frozenset({"tls:two.example"})):
        if lease.next_hop == "tls:large.example":
            report = spool.new_queue_id()
            acks.say("causing", lease.message.queue_id, report)
            caused = entry(report, row(0, due_at=START + HOUR, domain="council.example"))
            done = settlement(lease, State.REPORTED)
            await spool.settle(lease, type(done)(rows=done.rows, events=done.events, entries=(caused,)))
            acks.say("reported", lease.message.queue_id, report)
        else:
            await spool.settle(lease, settlement(lease, State.QUEUED, due_at=START + HOUR))
            acks.say("deferred", lease.message.queue_id)


def take_mail_until_killed(spool_dir: Path, shard: int, acks: Path) -> None:
    """Commits, large and small, from eight sessions at once, and settles a third of it."""
    asyncio.run(_load(spool_dir, shard, Acks(acks), OPTIONS))


class LastWords(Acks):
    """The process dies at the last of so many."""

    def __init__(self, path: Path, words: int) -> None:
        super().__init__(path)
        self._left = words

    def say(self, *words: object) -> None:
        super().say(*words)
        self._left -= 1
        if not self._left:
            os._exit(DIED)


def take_mail_until_dead(spool_dir: Path, acks: Path, words: int) -> None:
    """The same over a small log, which is folded back again and again, until so many acknowledgements were given."""
    asyncio.run(_load(spool_dir, 0, LastWords(acks, words), replace(OPTIONS, log=256 * 1024)))


async def _load(spool_dir: Path, shard: int, acks: Acks, options: SpoolOptions) -> None:
    spool = await SqliteSpool.open(spool_dir, shard, SpoolParts(clock=StandingClock(), options=options))

    async def session(number: int) -> None:
        while True:
            body = await written(spool, LARGE) if number == 0 else inline(os.urandom(2000))
            acks.say("committed", await commit(spool, body=body))

    async def deliveries() -> None:
        while True:
            for lease in await spool.claim(START, 3, frozenset()):
                acks.say("trying", lease.message.queue_id)
                await spool.settle(lease, settlement(lease))
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(session(number))
        group.create_task(deliveries())
