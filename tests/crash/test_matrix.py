"""A gateway dies at each step of its disk and of its next hops, and the next one ends what was acknowledged.

Promises 2 and 3: every acknowledged recipient has exactly one end, nothing is half there, and a second copy is only
ever of a delivery that was in flight.
"""

import asyncio
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from gateway.flow.ports import QueueFilter
from gateway.spool.reader import ShardReader
from tests.crash.aftermath import Aftermath, contents
from tests.crash.life import Life, lived
from tests.crash.pipeline import Orders
from tests.crash.steps import BLOCKED, Fate
from tests.crash.stories import PARTNER, STORIES, Story
from tests.fakes.forked import forked
from tests.fakes.mail_world import World, world

LIVES = 4
"""So many processes are more than enough to end what the first one left."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return forked()


@dataclass(frozen=True, slots=True)
class Matrix:
    """One story's world, in which process after process lives."""

    processes: ForkServerContext
    story: Story
    world: World
    folder: Path
    keys: tuple[bytes, ...] = ()

    async def crash(self, at: str, fate: Fate) -> "Aftermath":
        """The first process meets its fate at that step; others follow until nothing waits."""
        for host in self.world.hosts.values():
            host.conversations.clear()
        self.world.hosts[PARTNER].first = self.story.first()
        spool = self.folder / f"{fate.name} {at}"
        orders = Orders(spool=spool, network=self.world.network.options, keys=self.keys)
        first = await self._live(replace(orders, to=self.story.to, size=self.story.size, at=at, fate=fate))
        for _ in range(LIVES):
            await self._live(orders)
            if not any(ShardReader(spool).items(QueueFilter())):
                break
        copies = {name: contents(host) for name, host in self.world.hosts.items()}
        return Aftermath(self.story, first, at, spool, copies)

    async def _live(self, orders: Orders) -> Life:
        life = await asyncio.to_thread(lived, self.processes, orders)
        for host in self.world.hosts.values():
            await host.over()
        return life


@pytest.mark.parametrize("keys", [(), (b"k" * 32,)], ids=["plain", "sealed"])
@pytest.mark.parametrize("fate", [Fate.DIES, Fate.FAILS])
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_ends_once_at_whichever_step_the_gateway_meets_its_fate(
    tmp_path: Path, processes: ForkServerContext, name: str, fate: Fate, keys: tuple[bytes, ...]
) -> None:
    story = STORIES[name]
    async with world(tmp_path, story.scripts()) as at:
        matrix = Matrix(processes, story, at, tmp_path, keys)
        calm = await matrix.crash("", fate)
        found = [await matrix.crash(step, fate) for step in calm.life.steps]
    for one in (calm, *found):
        one.check()
    assert len(calm.life.acknowledged) == 1
    assert not calm.doubled
    assert found[0].life.acknowledged == set()
    assert any(one.doubled for one in found), "the crash that nobody can help was among them"


AT = ("create 1", "write half 1", "sync 3", "commit 1", "send 4", "dot half 1", "receive 6", "commit 2", "unlink 1")


@pytest.mark.parametrize("step", AT)
async def test_what_was_acknowledged_ends_once_though_a_step_never_returned(
    tmp_path: Path, processes: ForkServerContext, step: str
) -> None:
    story = STORIES["relay"]
    async with world(tmp_path, story.scripts()) as at:
        found = await Matrix(processes, story, at, tmp_path).crash(step, Fate.BLOCKS)
    assert found.life.words[-1] == BLOCKED
    found.check()
