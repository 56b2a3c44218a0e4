"""A listener that is full of idle and slow clients, strangers among them: who may relay and has few finds a place."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.processes import Flow, worker
from tests.e2e.stage import OFFICER, Stage, stage
from tests.e2e.test_faults import all_end, setting

PLACES = 40
STRANGERS, OURS = [f"127.9.0.{number}" for number in range(1, 9)], [f"127.0.9.{number}" for number in range(1, 9)]
EACH = 10
"""Connections of each address: each kind alone could take all places twice."""
SLOW = f"EHLO slow\r\nMAIL FROM:<{OFFICER}>\r\nRCPT TO:<slow@tls.example>\r\nDATA\r\nSubject: slow\r\n".encode()
GROWTH = 64 * 1024 * 1024


@asynccontextmanager
async def small_listener(folder: Path) -> AsyncGenerator[Stage]:
    """With few places, and for one network only."""
    async with stage(folder, setting(), start=False) as on:
        text = on.config.read_text().replace('networks = ["127.0.0.0/8"]', 'networks = ["127.0.0.0/16"]')
        limits = f"max_connections = {PLACES}\nmax_per_address = {EACH}\n"
        on.config.write_text(text.replace("[[listen.smtp]]\n", f"[[listen.smtp]]\n{limits}"))
        await on.start()
        yield on


async def hold(on: Stage, address: str, words: bytes, turned_away: list[str]) -> None:
    """Holds a connection without getting on, and comes again when it was lost. For ever."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", on.smtp_port, local_addr=(address, 0))
            try:
                writer.write(words)
                while line := await reader.readline():
                    if line.startswith(b"421"):
                        turned_away.append(address)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def crowd(on: Stage) -> AsyncGenerator[list[str]]:
    """The addresses of those that were turned away."""
    turned_away: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        holding = [
            tasks.create_task(hold(on, address, words, turned_away))
            for addresses, words in ((STRANGERS, b""), (OURS, SLOW))
            for address in addresses
            for _ in range(EACH)
        ]
        yield turned_away
        for task in holding:
            task.cancel()


def memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


async def test_mail_of_a_client_that_behaves_flows_through_a_crowd_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    async with small_listener(tmp_path) as on:
        async with Flow(on).running() as flow:
            await flow.more()
            pid, before = worker(on), memory(worker(on))
            async with crowd(on) as turned_away:
                await on.until(lambda: len(turned_away) > 2 * PLACES)
                await flow.more(40)
                assert set(turned_away).intersection(STRANGERS)
                assert set(turned_away).intersection(OURS)
                assert memory(pid) - before < GROWTH
            await flow.more()
        await all_end(on, flow.acknowledged, set())
        assert worker(on) == pid
