"""`python -m bench.portal`: what 50 readers and 200 unlocks a second at the portal do to the relay beside it.

The relay's latency is that of a message of 10 KiB, twenty in a second, with a connection each: first without anybody
at the portal, then with all of them, and without again. Whoever plays the people shares the cores; see `portal_load`.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from bench.measure import cpu_seconds, family
from bench.peers import gateway
from bench.portal_load import Asked
from bench.portal_stage import WORKERS, configuration, seal
from bench.smtp_probe import Probe, taking
from gateway.sealed.keys import Keyring, new_keyring

RATE = 200.0


async def tell(load: Process, what: object) -> None:
    """One line to whoever plays the people."""
    assert load.stdin is not None
    load.stdin.write(json.dumps(what).encode() + b"\n")
    await load.stdin.drain()


async def hear(load: Process) -> object:
    """One line of theirs."""
    assert load.stdout is not None
    async with asyncio.timeout(120):
        return json.loads(await load.stdout.readline())


def portal_of(pid: int) -> int:
    """The portal's process."""
    for member in family(pid):
        if b"gateway.app.portal" in Path(f"/proc/{member}/cmdline").read_bytes().split(b"\0"):
            return member
    raise LookupError("there is no portal")


def take_own_nice(pid: int) -> None:
    """Where the kernel groups processes by session, being nice counts within one alone, and the portal has its own."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, pid)))


def quantiles(seconds: Sequence[float]) -> str:
    """The median, and what 95 and 99 of a hundred are below, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return " / ".join(f"{1000 * cuts[at - 1]:.1f}" for at in (50, 95, 99))


@dataclass(frozen=True, slots=True)
class Stage:
    """A running gateway by its process, and its ports."""

    pid: int
    mail: int
    portal: int


async def row(stage: Stage, probe: Probe, seconds: float) -> list[str]:
    """The relay's latency for so long, and the CPU time of the mail and of the portal, in cores."""
    page = portal_of(stage.pid)
    whole, own = cpu_seconds(stage.pid), cpu_seconds(page)
    probe.forget()
    await probe.run(stage.mail, seconds)
    own = cpu_seconds(page) - own
    mail = cpu_seconds(stage.pid) - whole - own
    latencies = [quantiles([*each.values()]) for each in (probe.accepted, probe.delivered)]
    return [*latencies, f"{mail / seconds:.2f}", f"{own / seconds:.2f}"]


async def measured(stage: Stage, root: Path, probe: Probe, load: Process, asked: Asked, keyring: Keyring) -> Table:
    """Three rows, and under them what the people got."""
    readers, unlockers = await seal(stage.mail, root, keyring)
    await tell(load, asked._replace(port=stage.portal, readers=readers, unlockers=unlockers))
    await hear(load)
    take_own_nice(portal_of(stage.pid))
    table = Table(title=f"{os.cpu_count()} cores, {WORKERS} workers; milliseconds are p50 / p95 / p99")
    for column in ("", "accepted, ms", "delivered, ms", "mail, cores", "portal, cores"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("nobody at the portal", *await row(stage, probe, asked.seconds))
    await tell(load, "begin")
    table.add_row("readers and unlocks", *await row(stage, probe, asked.seconds))
    table.caption = told(await hear(load), asked.seconds)
    table.add_row("nobody again", *await row(stage, probe, asked.seconds))
    return table


def told(end: object, seconds: float) -> str:
    """What the people say of it."""
    assert isinstance(end, dict)
    found = cast("dict[str, dict[str, list[float]]]", end)
    lines = [
        f"{name}: {len(took)}, {len(took) / seconds:.0f} a second, {quantiles(took)} ms"
        for name, took in found["seconds"].items()
    ]
    return "\n".join([*lines, f"failed: {found['failed'] or 'none'}"])


async def measure(asked: Asked) -> Table:
    """Puts everything up, and takes it down again."""
    probe, keyring = Probe(), new_keyring()
    command = (sys.executable, "-m", "bench.portal_load")
    load = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=2**24, start_new_session=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sealpost-bench-") as name:
            async with taking(probe.took) as sink:
                letters = int(str(await hear(load)))
                config, policy, port, portal = configuration(Path(name), keyring, sink, letters)
                with gateway(Path(name), config, policy, port) as pid:
                    return await measured(Stage(pid, port, portal), Path(name), probe, load, asked, keyring)
    finally:
        with suppress(ProcessLookupError):
            load.kill()
        await load.wait()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.portal", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    Console(width=120).print(asyncio.run(measure(Asked(0, (), (), options.rate, options.seconds))))


if __name__ == "__main__":
    main()
