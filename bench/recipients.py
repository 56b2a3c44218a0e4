"""`python -m bench.recipients`: messages to 1,000 recipients at one host, through Sealpost and Postfix in turn.

Each delivers to as many at a time as it does by default, so the sink counts another number of deliveries for each.
"""

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.load import Workload, sink
from bench.peers import Relay, postfix_relay, sealpost

_RECIPIENTS: Final = 1000
_MESSAGES: Final = 20
_AT_A_TIME: Final = {"postfix": 50, "sealpost, 1 worker": 100, "sealpost, 2 workers": 100}
# With so many sessions neither worker is without one.
_LOAD = Workload(name="1,000 recipients", messages=_MESSAGES, sessions=10, size=10 * 1024)


def one(relay_of: Callable[[int], AbstractContextManager[Relay]]) -> tuple[str, float]:
    """The relay's name, and recipients a second until all are delivered."""
    with sink() as end, relay_of(end.port) as relay:
        command = [*_LOAD.command(relay.port)[:-1], "-r", str(_RECIPIENTS), f"127.0.0.1:{relay.port}"]
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        end.wait(_MESSAGES * _RECIPIENTS // _AT_A_TIME[relay.name], 300)
        return relay.name, _MESSAGES * _RECIPIENTS / (time.monotonic() - began)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.recipients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for relay_of in (postfix_relay, partial(sealpost, workers=1), partial(sealpost, workers=2)):
            name, rate = one(relay_of)
            rates.setdefault(name, []).append(rate)
    table = Table("relay", "recipients/s", "x Postfix")
    for name, mine in rates.items():
        ratio = statistics.median(a / b for a, b in zip(mine, rates["postfix"], strict=True))
        table.add_row(name, f"{statistics.median(mine):.0f}", f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
