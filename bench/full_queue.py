"""`python -m bench.full_queue`: what 200,000 deferred messages in the spool cost those that pass through.

The same load through an empty and a full spool in turn; start-up and memory at rest besides. The waiting messages are
not due: what is measured is their weight, not their deliveries.
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Workload, free_port, sink
from bench.measure import memory_bytes
from bench.peers import CONFIG, POLICY, gateway
from gateway.app.system import SystemClock
from gateway.core.record import Entry
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.samples import entry, inline, row

MIB = 1024 * 1024
_DESTINATIONS = 2000
_AT_ONCE = 200
_BODY = inline(b"Subject: x\r\n\r\n" + b"some words of a letter\r\n" * 80)
_LOAD = Workload(name="10 KiB, kept", messages=3000, sessions=20, size=10 * 1024, kept=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Seconds until it listens, bytes at rest, messages a second accepted and delivered."""

    start: float
    memory: int
    accepted: float
    delivered: float


async def fill(spool_dir: Path, waiting: int) -> None:
    """Commits that many messages, one recipient each, due in ten hours and more."""
    clock = SystemClock()
    spool = await SqliteSpool.open(spool_dir, 0, SpoolParts(clock=clock))
    try:
        for start in range(0, waiting, _AT_ONCE):
            await spool.commit([_deferred(spool, clock, number) for number in range(start, start + _AT_ONCE)])
    finally:
        await spool.aclose()


def _deferred(spool: SqliteSpool, clock: SystemClock, number: int) -> Entry:
    now, domain = clock.now(), f"d{number % _DESTINATIONS}.example"
    due = now + timedelta(hours=10, milliseconds=number)
    waits = replace(row(domain=domain, due_at=due), entered_at=now, deadline=due, expires_at=due)
    return entry(spool.new_queue_id(), waits, body=_BODY)


def measured(root: Path) -> Found:
    """Starts a gateway on that spool, with one worker, and sends the load through it."""
    with sink() as end:
        port = free_port()
        config = CONFIG.format(workers=1, port=port, admin=free_port(), dns=free_port(), root=root, sink=end.port)
        began = time.monotonic()
        with gateway(root, config, POLICY, port) as pid:
            started = time.monotonic() - began
            warm = replace(_LOAD, messages=200)
            subprocess.run(warm.command(port), check=True, stdout=subprocess.DEVNULL)
            end.wait(warm.messages, 60)
            memory = memory_bytes(pid)
            began = time.monotonic()
            subprocess.run(_LOAD.command(port), check=True, stdout=subprocess.DEVNULL)
            accepted = _LOAD.messages / (time.monotonic() - began)
            end.wait(warm.messages + _LOAD.messages, 300)
            delivered = _LOAD.messages / (time.monotonic() - began)
    return Found(start=started, memory=memory, accepted=accepted, delivered=delivered)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.full_queue", description=__doc__)
    parser.add_argument("--waiting", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="sealpost-bench-"))
    empty, full = root / "empty", root / "full"
    found: dict[Path, list[Found]] = {empty: [], full: []}
    try:
        for folder in (empty, full):
            folder.mkdir()
        asyncio.run(fill(full / "spool", given.waiting))
        for number in range(given.rounds):
            for folder in (empty, full) if number % 2 == 0 else (full, empty):
                found[folder].append(measured(folder))
                sys.stderr.write(f"  {folder.name}: {found[folder][-1]}\n")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    table = Table("spool", "starts in, s", "at rest, MiB", "accepted/s", "delivered/s")
    for name, all_of in (("empty", found[empty]), (f"{given.waiting} waiting", found[full])):
        start = max(one.start for one in all_of)
        memory = statistics.median(one.memory for one in all_of) / MIB
        rates = [statistics.median(values) for values in zip(*((o.accepted, o.delivered) for o in all_of), strict=True)]
        table.add_row(name, f"{start:.1f}", f"{memory:.0f}", *(f"{rate:.0f}" for rate in rates))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
