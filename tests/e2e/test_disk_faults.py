"""A disk that breaks under the gateway: new mail is refused for now, and the old is there when the disk is back."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.record import QueueId
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.gateway_process import GatewayDied
from tests.e2e.ext4 import Ext4, ext4
from tests.e2e.processes import gone, kill, supervisor, workers
from tests.e2e.stage import Stage, stage
from tests.e2e.test_faults import all_end, deferred, refused, setting

SIZE = 256
"""Of the disk, in MiB: twice what is kept free of it."""

pytestmark = pytest.mark.peer("root")


@asynccontextmanager
async def on_disk(folder: Path) -> AsyncGenerator[tuple[Stage, Ext4, dict[QueueId, str]]]:
    """A stage with some messages that wait, large and small, on a disk of its own."""
    with ext4(folder / "spool", SIZE) as disk:
        async with stage(folder, setting()) as on:
            waiting = await deferred(on, 3) | await deferred(on, 3, attach=(300_000,))
            yield on, disk, waiting


async def ended(on: Stage, pids: list[int]) -> None:
    """Kills all its processes."""
    kill(*pids)
    await gone(*pids)
    await on.process.stop()


async def none_is_lost(on: Stage, waiting: dict[QueueId, str]) -> None:
    on.world.hosts["mx.tls.example"].behave(Behaviour())
    await on.start()
    await all_end(on, waiting, set())
    assert [len(on.world.inbox.to(address)) for address in waiting.values()] == [1] * len(waiting)


async def test_a_disk_that_became_read_only(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as (on, disk, waiting):
        pids = [supervisor(on), *workers(on)]
        disk.make_read_only()
        assert "(451, b'4.3.0 " in await refused(on)
        assert "(451, b'4.3.0 " in await refused(on, attach=(300_000,))
        await ended(on, pids)
        with pytest.raises(GatewayDied, match="Read-only file system"):
            await on.start()
        disk.unmount()
        disk.mount()
        await none_is_lost(on, waiting)


async def test_a_disk_without_power(tmp_path: Path) -> None:
    async with on_disk(tmp_path) as (on, disk, waiting):
        pids = [supervisor(on), *workers(on)]
        disk.power_off()
        assert "(451, b'4.3.0 " in await refused(on)
        await ended(on, pids)
        disk.unmount()
        disk.mount()
        await none_is_lost(on, waiting)
