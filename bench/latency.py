"""`python -m bench.latency`: how long a client waits for the final 250 at half of what the gateway can do.

What it can do is measured first, with Postfix's smtp-source and a connection for each message; then messages come at
half that rate, evenly, each with a connection of its own, from one process that plays clients and sink.
"""

import argparse
import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Workload, free_port, sink
from bench.peers import CONFIG, POLICY, gateway, sealpost
from bench.smtp_probe import Probe, taking

_MOST = Workload(name="10 KiB, new", messages=2000, sessions=20, size=10 * 1024)
_WARM = 3.0


def most(workers: int) -> float:
    """Messages a second, with a connection each, until the sink has them."""
    with sink() as end, sealpost(end.port, workers) as relay:
        began = time.monotonic()
        subprocess.run(_MOST.command(relay.port), check=True, stdout=subprocess.DEVNULL)
        end.wait(_MOST.messages, 300)
        return _MOST.messages / (time.monotonic() - began)


async def probed(workers: int, rate: float, seconds: float) -> Probe:
    """Sends at that rate for so long, warm."""
    probe = Probe()
    with tempfile.TemporaryDirectory(prefix="sealpost-bench-") as name:
        async with taking(probe.took) as port_of_sink:
            port = free_port()
            places = {"admin": free_port(), "dns": free_port(), "root": name, "sink": port_of_sink}
            config = CONFIG.format(workers=workers, port=port, **places)
            with gateway(Path(name), config, POLICY, port):
                await probe.run(port, _WARM, 1 / rate)
                probe.forget()
                await probe.run(port, seconds, 1 / rate)
    return probe


def quantiles(seconds: Iterable[float]) -> tuple[str, ...]:
    """p50, p95, p99 and the longest, in milliseconds."""
    ordered = sorted(seconds)
    places = (int(len(ordered) * share) for share in (0.5, 0.95, 0.99))
    return tuple(f"{1000 * value:.1f}" for value in (*(ordered[place] for place in places), ordered[-1]))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    rate = most(given.workers) / 2
    probe = asyncio.run(probed(given.workers, rate, given.seconds))
    table = Table(f"{rate:.0f} messages/s", "p50, ms", "p95", "p99", "most")
    table.add_row("until the final 250, connection included", *quantiles(probe.accepted.values()))
    table.add_row("until the sink has it", *quantiles(probe.delivered.values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
