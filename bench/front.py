"""`python -m bench.front`: Postfix that asks our milter, beside the same Postfix with one that looks at nothing.

In mode gate Postfix delivers; in mode takeover the gateway takes every message and delivers it, end to end.
"""

import argparse
import contextlib
import shutil
import tempfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Final

from bench.__main__ import KIB, MIB, measure, show, summary
from bench.load import Workload, free_port
from bench.milter import postfix_asking, postfix_with_milter
from bench.peers import CONFIG, POLICY, Relay, gateway

_LOADS: Final = (
    Workload(name="10 KiB, new", messages=2000, sessions=20, size=10 * KIB),
    Workload(name="10 KiB, kept", messages=2000, sessions=20, size=10 * KIB, kept=True),
    Workload(name="1 MiB", messages=300, sessions=8, size=MIB),
)
_DOOR: Final = (
    '[[listen.milter]]\naddress = "127.0.0.1:{port}"\nmode = "{mode}"\n[routes.out]\ntransport = "mx"\ntls = "may"\n'
)


@contextlib.contextmanager
def front(sink_port: int, mode: str) -> Generator[Relay]:
    """A Postfix whose milter is ours; the process that is measured is Postfix's, without the gateway."""
    root, door = Path(tempfile.mkdtemp(prefix="sealpost-bench-")), free_port()
    places = {"port": free_port(), "admin": free_port(), "dns": free_port(), "root": root, "sink": sink_port}
    config = CONFIG.format(workers=2, **places) + _DOOR.format(port=door, mode=mode)
    # What goes by a host of ours is taken over; what goes by MX without a floor may stay with Postfix.
    policy = POLICY if mode == "takeover" else POLICY.replace('route = ["sink"]', 'route = ["out"]')
    try:
        with gateway(root, config, policy, door), postfix_asking(f"inet:127.0.0.1:{door}", sink_port) as asking:
            yield Relay(name=f"postfix, {mode}", port=asking.port, pid=asking.pid)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.front", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    relays = (postfix_with_milter, partial(front, mode="gate"), partial(front, mode="takeover"))
    base = "postfix, milter"
    show([row for load in _LOADS for row in summary(load, measure(load, rounds, relays), base)], base)


if __name__ == "__main__":
    main()
