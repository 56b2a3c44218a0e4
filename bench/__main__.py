"""`make bench`: the same load through Sealpost and through Postfix, interleaved in one run, as ratios."""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from bench.load import Workload, sink
from bench.measure import PeakMemory, cpu_seconds
from bench.milter import postfix_with_milter
from bench.peers import Relay, postfix_relay, sealpost

KIB, MIB = 1024, 1024 * 1024

WORKLOADS = (
    Workload(name="10 KiB, new", messages=2000, sessions=20, size=10 * KIB),
    Workload(name="10 KiB, kept", messages=2000, sessions=20, size=10 * KIB, kept=True),
    Workload(name="1 MiB", messages=300, sessions=8, size=MIB),
    Workload(name="20 MiB", messages=24, sessions=2, size=20 * MIB),
    Workload(name="150 MB", messages=1, sessions=1, size=150_000_000),
)

Start: TypeAlias = Callable[[int], AbstractContextManager[Relay]]
"""Starts a relay that sends to the sink at that port."""

START: tuple[Start, ...] = (
    postfix_relay,
    postfix_with_milter,
    lambda port: sealpost(port, 1),
    lambda port: sealpost(port, 2),
    lambda port: sealpost(port, 2, sealed=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One workload through one relay."""

    rate: float
    cpu_ms: float
    peak_above_idle: int


def one(relay_of: Callable[[int], AbstractContextManager[Relay]], load: Workload) -> tuple[str, Run]:
    """Starts the relay, warms it up, sends the load, and waits until the sink has counted all of it."""
    with sink() as end, relay_of(end.port) as relay:
        warm = Workload(name="warm", messages=load.sessions, sessions=load.sessions, size=KIB, kept=load.kept)
        subprocess.run(warm.command(relay.port), check=True, stdout=subprocess.DEVNULL)
        end.wait(warm.messages, 60)
        cpu = cpu_seconds(relay.pid)
        with PeakMemory(relay.pid) as memory:
            start = time.monotonic()
            subprocess.run(load.command(relay.port), check=True, stdout=subprocess.DEVNULL)
            end.wait(warm.messages + load.messages, 300)
            seconds = time.monotonic() - start
        used = cpu_seconds(relay.pid) - cpu
        return relay.name, Run(
            rate=load.messages / seconds, cpu_ms=1000 * used / load.messages, peak_above_idle=memory.above
        )


def measure(load: Workload, rounds: int, relays: Sequence[Start]) -> dict[str, list[Run]]:
    """Every relay in every round, in an order that turns round."""
    runs: dict[str, list[Run]] = {}
    for number in range(rounds):
        for relay_of in relays if number % 2 == 0 else relays[::-1]:
            name, run = one(relay_of, load)
            runs.setdefault(name, []).append(run)
            sys.stderr.write(f"  {load.name}, {name}: {run.rate:.1f} messages/s\n")
    return dict(sorted(runs.items()))


def summary(load: Workload, runs: dict[str, list[Run]], base: str = "postfix") -> list[dict[str, str | float]]:
    """One row a relay: medians, and the ratio to ``base`` by pairs of the same round."""
    rows: list[dict[str, str | float]] = []
    for name, mine in runs.items():
        ratios = [a.rate / b.rate for a, b in zip(mine, runs[base], strict=True)]
        rows.append(
            {
                "workload": load.name,
                "relay": name,
                "messages_per_second": round(statistics.median(run.rate for run in mine), 1),
                "ratio": round(statistics.median(ratios), 2),
                "ratio_min": round(min(ratios), 2),
                "ratio_max": round(max(ratios), 2),
                "cpu_ms": round(statistics.median(run.cpu_ms for run in mine), 2),
                "peak_mib": round(max(run.peak_above_idle for run in mine) / MIB, 1),
            }
        )
    return rows


def show(rows: list[dict[str, str | float]], base: str = "Postfix") -> None:
    """The table for people."""
    table = Table(title=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    for column in ("workload", "relay", "messages/s", f"x {base}", "CPU ms/message", "peak MiB above idle"):
        table.add_column(column, justify="left" if column in ("workload", "relay") else "right")
    for row in rows:
        ratio = f"{row['ratio']} [{row['ratio_min']}-{row['ratio_max']}]"
        cells = [row["workload"], row["relay"], row["messages_per_second"], ratio, row["cpu_ms"], row["peak_mib"]]
        table.add_row(*[str(cell) for cell in cells])
    Console(width=120).print(table)


def main() -> None:
    """Measures the chosen workloads."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="a workload by the start of its name; may be repeated")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("make bench runs Postfix, which needs root.")
    chosen = [w for w in WORKLOADS if not options.only or w.name.startswith(tuple(options.only))]
    rows: list[dict[str, str | float]] = []
    with contextlib.suppress(KeyboardInterrupt):
        for load in chosen:
            rows += summary(load, measure(load, options.rounds, START))
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        show(rows)


if __name__ == "__main__":
    main()
