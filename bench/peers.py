"""The two relays that are compared: Sealpost with everything on, and Postfix."""

import contextlib
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from bench.load import free_port, wait_for
from gateway.sandbox.authority import write_secret
from gateway.sealed.keys import new_keyring
from tests.peers.postfix import Service, postfix

CONFIG = """\
hostname = "bench.example"
policy = "policy.toml"
workers = {workers}
[[listen.smtp]]
address = "127.0.0.1:{port}"
[[listen.smtp.allow]]
networks = ["127.0.0.0/8"]
[listen.admin]
address = "127.0.0.1:{admin}"
[secrets]
hop = "file:hop.key"
[dns]
nameservers = ["127.0.0.1:{dns}"]
[spool]
url = "sqlite:///{root}/spool"
[routes.sink]
transport = "smarthost"
host = "127.0.0.1:{sink}"
tls = "may"
[system]
reports = "sink"
notices = "sink"
"""

POLICY = """\
[organisation]
name = "Council"
domains = ["council.example"]
contact = "Service Desk"
postmaster = "postmaster@council.example"
[classification]
levels = ["public", "controlled", "restricted"]
default = "public"
[classification.floor]
public = "none"
controlled = "encrypted"
restricted = "verified"
[[labels]]
source = "header"
name = "X-Classification"
values = { public = "public" }
[groups]
partners = { domains = ["partner.example", "*.partner.example"] }
[[rules]]
name = "Large files"
when = { all = [{ recipient = "group:partners" }, { attachment_bytes = { over = "13MiB" } }] }
reject = true
advice = "Ask the Service Desk."
[[rules]]
name = "Protected"
when = { any = [{ classification = { at_least = "controlled" } }, { intent = ["secure", "encrypted"] }] }
reject = true
advice = "Ask the Service Desk."
[[rules]]
name = "Public"
route = ["sink"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A running relay: its name, the port it takes mail on, and the process whose family is measured."""

    name: str
    port: int
    pid: int


@contextlib.contextmanager
def gateway(root: Path, config: str, policy: str, port: int) -> Generator[int]:
    """Starts a gateway from these texts in that folder, waits until it listens on ``port``, and gives its process."""
    (root / "sealpost.toml").write_text(config)
    (root / "policy.toml").write_text(policy)
    (root / "hop.key").write_bytes(secrets.token_bytes(32))
    (root / "hop.key").chmod(0o600)
    command = [sys.executable, "-m", "gateway", "run", "--config", str(root / "sealpost.toml")]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        try:
            wait_for(port, process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}:\n{(root / 'log').read_text()[-2000:]}") from error
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def with_sealed_bodies(root: Path, config: str) -> str:
    """The configuration with a key for them, which is made in that folder."""
    write_secret(root / "spool.keys", new_keyring().to_bytes())
    return config.replace("[secrets]\n", '[secrets]\nspool = "file:spool.keys"\n')


@contextlib.contextmanager
def sealpost(sink_port: int, workers: int, *, sealed: bool = False) -> Generator[Relay]:
    """Starts the gateway with a durable spool, the policy, audit, logs and metrics on, bodies sealed or not."""
    root = Path(tempfile.mkdtemp(prefix="sealpost-bench-"))
    port, admin = free_port(), free_port()
    config = CONFIG.format(workers=workers, port=port, admin=admin, dns=free_port(), root=root, sink=sink_port)
    name = f"sealpost, {workers} worker{'s' if workers > 1 else ''}"
    if sealed:
        config, name = with_sealed_bodies(root, config), f"{name}, sealed"
    try:
        with gateway(root, config, POLICY, port) as pid:
            yield Relay(name=name, port=port, pid=pid)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def postfix_relay(sink_port: int) -> Generator[Relay]:
    """Starts Postfix as a relay to the sink, as Debian configures it but for names and limits on clients."""
    port = free_port()
    with postfix("postfix.example", [Service(port=port)], [f"relayhost = [127.0.0.1]:{sink_port}"]) as instance:
        yield Relay(name="postfix", port=port, pid=instance.pid)
