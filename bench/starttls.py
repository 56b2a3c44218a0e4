"""`python -m bench.starttls`: the load with STARTTLS in and out, through Sealpost and Postfix in turn (needs stunnel).

smtp-source and smtp-sink speak no TLS: stunnel does it for them, and takes CPU of the same cores. Postfix keeps its
TLS connections to the next host too, which it does not by default.
"""

import argparse
import contextlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Workload, free_port, sink, wait_for
from bench.peers import CONFIG, POLICY, gateway
from gateway.sandbox.authority import Validity, self_signed
from tests.peers.postfix import Service, postfix

_LOADS = (
    Workload(name="10 KiB, kept, STARTTLS in and out", messages=2000, sessions=20, size=10 * 1024, kept=True),
    Workload(name="10 KiB, new, STARTTLS in and out", messages=1000, sessions=20, size=10 * 1024),
)

_STUNNEL = """\
foreground = quiet
pid =
debug = err
[in]
client = yes
protocol = smtp
accept = 127.0.0.1:{front}
connect = 127.0.0.1:{relay}
[out]
protocol = smtp
cert = {cert}
accept = 127.0.0.1:{back}
connect = 127.0.0.1:{sink}
"""


@contextlib.contextmanager
def _stunnel(root: Path, **places: object) -> Generator[None]:
    """Between smtp-source and the relay, and between the relay and smtp-sink."""
    (root / "stunnel.conf").write_text(_STUNNEL.format(cert=root / "tls.pem", **places))
    process = subprocess.Popen(["stunnel", root / "stunnel.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(int(str(places["front"])), process)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _sealpost(root: Path, port: int, sink_port: int) -> Generator[None]:
    places = {"admin": free_port(), "dns": free_port(), "root": root, "sink": sink_port}
    config = CONFIG.format(workers=2, port=port, **places).replace('tls = "may"', 'tls = "encrypt"')
    config = config.replace("[[listen.smtp]]", '[[listen.smtp]]\ncertificate = "tls.pem"\nprivate_key = "tls.pem"')
    with gateway(root, config, POLICY, port):
        yield


@contextlib.contextmanager
def _postfix(root: Path, port: int, sink_port: int) -> Generator[None]:
    extra = [
        f"relayhost = [127.0.0.1]:{sink_port}",
        "smtp_tls_security_level = encrypt",
        "smtp_tls_connection_reuse = yes",
        "smtpd_tls_security_level = may",
        f"smtpd_tls_chain_files = {root / 'tls.pem'}",
    ]
    with postfix("postfix.example", [Service(port=port)], extra):
        yield


_RELAYS: dict[str, Callable[[Path, int, int], AbstractContextManager[None]]] = {
    "postfix": _postfix,
    "sealpost, 2 workers": _sealpost,
}


def one(name: str, load: Workload) -> float:
    """Messages a second until the sink has them."""
    with tempfile.TemporaryDirectory(prefix="sealpost-bench-") as folder, sink() as end:
        root = Path(folder)
        root.chmod(0o755)
        made = self_signed(("bench.example",), Validity.lasting(datetime.now(UTC), timedelta(days=1)))
        (root / "tls.pem").write_bytes(made.key_pem + made.certificate_pem)
        relay, front, back = free_port(), free_port(), free_port()
        with _RELAYS[name](root, relay, back), _stunnel(root, relay=relay, front=front, back=back, sink=end.port):
            warm = Workload(name="warm", messages=40, sessions=20, size=1024, kept=load.kept)
            subprocess.run(warm.command(front), check=True, stdout=subprocess.DEVNULL)
            end.wait(warm.messages, 60)
            began = time.monotonic()
            subprocess.run(load.command(front), check=True, stdout=subprocess.DEVNULL)
            end.wait(warm.messages + load.messages, 300)
            return load.messages / (time.monotonic() - began)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="bench.starttls", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    table = Table("workload", "relay", "messages/s", "x Postfix")
    for load in _LOADS:
        rates: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name in _RELAYS:
                rates.setdefault(name, []).append(one(name, load))
        for name, mine in rates.items():
            ratio = statistics.median(a / b for a, b in zip(mine, rates["postfix"], strict=True))
            table.add_row(load.name, name, f"{statistics.median(mine):.0f}", f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
