"""A worker that may not grow any more: it puts mail off or dies and is replaced, and nothing acknowledged is lost."""

import resource
from pathlib import Path

from tests.e2e.processes import Flow, gone, kill, supervisor, worker, workers
from tests.e2e.stage import Stage, stage
from tests.e2e.test_faults import all_end, setting


def size(pid: int) -> int:
    """Bytes of address space."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def limit(pid: int, most: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def felt(on: Stage) -> bool:
    """Whether the limit made itself felt."""
    return "MemoryError" in on.log() or "worker died" in on.log()


async def test_without_memory_nothing_is_lost_and_all_goes_on_when_there_is_some(tmp_path: Path) -> None:
    async with stage(tmp_path, setting()) as on:
        async with Flow(on).running(clients=12) as flow:
            await flow.more()
            pid = worker(on)
            limit(pid, size(pid))
            await on.until(lambda: felt(on))
            if worker(on) == pid:
                limit(pid, resource.RLIM_INFINITY)
            await flow.more()
        # What had no memory in the middle of a delivery is tried again after minutes, or by a new process.
        pids = (*workers(on), supervisor(on))
        kill(*pids)
        await gone(*pids)
        await on.start()
        await all_end(on, flow.acknowledged, set())
