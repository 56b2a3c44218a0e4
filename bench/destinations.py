"""`python -m bench.destinations`: mail to 5,000 destinations of which a fifth never answer.

What counts is when the living have all of theirs. It runs in a network of its own, where each destination has its own
address on loopback, and the dead are behind a device that nobody reads. Postfix is told the addresses, Sealpost asks a
name server, as each can do.
"""

import argparse
import asyncio
import contextlib
import random
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from ipaddress import IPv4Address
from itertools import repeat
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.load import SENDER, Sink, free_port, wait_for
from bench.peers import CONFIG, POLICY, gateway
from tests.fakes.dns import FakeDns
from tests.peers.postfix import Service, postfix

_LIVING: Final = 4000
_DEAD: Final = 1000
_EACH: Final = 50
"""Recipients of one message, each in a domain of its own."""
_MESSAGE: Final = "Subject: five thousand\r\nX-Classification: public\r\n\r\n" + "text\r\n" * 1700

_NETWORK: Final = (
    "link set lo up",
    "tuntap add dev dead mode tun",
    "address add 10.99.0.1/16 dev dead",
    "link set dead up",
)

Relay = Callable[[Path, int, int], AbstractContextManager[None]]


def _domains() -> dict[str, IPv4Address]:
    """Every destination with its address, the living and the dead mixed."""
    living = {f"d{number}.living.example": IPv4Address("127.1.0.1") + number for number in range(_LIVING)}
    dead = {f"d{number}.dead.example": IPv4Address("10.99.0.2") + number for number in range(_DEAD)}
    mixed = [*living.items(), *dead.items()]
    random.Random(5).shuffle(mixed)
    return dict(mixed)


@contextlib.contextmanager
def _names() -> Generator[str]:
    """A name server in a thread of its own; gives its address."""
    table = {
        name: records
        for domain, address in _domains().items()
        for name, records in ((domain, {"MX": [f"10 mx.{domain}."]}), (f"mx.{domain}", {"A": [str(address)]}))
    }
    ready: list[str] = []
    up, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with FakeDns(table) as server:
            ready.append(server.nameserver)
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        up.wait(30)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


@contextlib.contextmanager
def _sealpost(root: Path, port: int, end: int) -> Generator[None]:
    with _names() as nameserver:
        config = CONFIG.format(workers=2, port=port, admin=free_port(), dns=0, root=root, sink=end)
        config = config.replace("127.0.0.1:0", nameserver)
        config = config.replace('transport = "smarthost"', 'transport = "mx"').replace(
            f'host = "127.0.0.1:{end}"\n', ""
        )
        config += f'[mx]\nport = {end}\nallow_networks = ["127.0.0.0/8", "10.99.0.0/16"]\n'
        with gateway(root, config, POLICY, port):
            yield


@contextlib.contextmanager
def _postfix(root: Path, port: int, end: int) -> Generator[None]:
    lines = [f"{domain} smtp:[{address}]:{end}\n" for domain, address in _domains().items()]
    (root / "transport").write_text("".join(lines))
    extra = [f"transport_maps = texthash:{root}/transport"]
    with postfix("postfix.example", [Service(port=port)], extra):
        yield


_RELAYS: Final[dict[str, Relay]] = {"postfix": _postfix, "sealpost, 2 workers": _sealpost}


def _send(port: int, recipients: Sequence[str]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail(SENDER, recipients, _MESSAGE)


def _hand_over(port: int) -> None:
    every = [f"r@{domain}" for domain in _domains()]
    with ThreadPoolExecutor(10) as senders:
        parts = [every[at : at + _EACH] for at in range(0, len(every), _EACH)]
        list(senders.map(_send, repeat(port), parts))


@contextlib.contextmanager
def _everywhere() -> Generator[Sink]:
    """An smtp-sink at every address."""
    port = free_port()
    command = ["/usr/sbin/smtp-sink", "-u", "nobody", "-c", f"0.0.0.0:{port}", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Sink(port, process)
    finally:
        process.kill()
        process.wait()


def one(relay: Relay, within: float) -> tuple[int, float]:
    """How many of the living had their mail, and the seconds until the last of them."""
    with tempfile.TemporaryDirectory(prefix="sealpost-bench-") as folder, _everywhere() as end:
        root, port = Path(folder), free_port()
        root.chmod(0o755)
        with relay(root, port, end.port):
            began = time.monotonic()
            _hand_over(port)
            with contextlib.suppress(TimeoutError):
                end.wait(_LIVING, within)
            return end.count, time.monotonic() - began


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.destinations", description=__doc__)
    parser.add_argument("--within", type=float, default=120, help="seconds after which it is enough")
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.apart:
        again = [sys.executable, "-m", "bench.destinations", "--apart", *sys.argv[1:]]
        sys.exit(subprocess.run(["unshare", "--net", *again], check=False).returncode)
    for words in _NETWORK:
        subprocess.run(["ip", *words.split()], check=True)
    table = Table("relay", "living that had their mail", "seconds", "deliveries/s")
    for name, relay in _RELAYS.items():
        count, seconds = one(relay, options.within)
        table.add_row(name, f"{count} of {_LIVING}", f"{seconds:.1f}", f"{count / seconds:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
