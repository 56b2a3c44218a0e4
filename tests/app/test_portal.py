"""The process of the portal beside those of the workers."""

import contextlib
import os
from pathlib import Path

from bench.measure import family
from gateway.app.portal import BEHIND
from gateway.sandbox.gateway_process import GatewayProcess, run_command
from tests.app.house import house


def priorities(module: str) -> list[int]:
    """How nice the processes below us are that run that module."""
    found: list[int] = []
    for one in family(os.getpid()):
        # One that has ended meanwhile is none.
        with contextlib.suppress(OSError):
            if module.encode() in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0"):
                found.append(os.getpriority(os.PRIO_PROCESS, one))
    return found


async def test_it_stands_behind_the_mail_in_line(tmp_path: Path) -> None:
    async with house(tmp_path, portal=True) as here:
        process = GatewayProcess(run_command(here.household.config), here.household.log)
        try:
            await process.start(here.admin)
            [worker] = priorities("gateway.app.worker")
            # A process is there for a moment before it steps back.
            await here.until(lambda: priorities("gateway.app.portal") == [min(19, worker + BEHIND)])
        finally:
            await process.stop()
