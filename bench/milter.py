"""What a milter alone costs Postfix: the same relay with one that looks at nothing, built from C on the spot."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from bench.load import free_port
from bench.peers import Relay
from tests.peers.postfix import Service, postfix

_SOURCE: Final = Path(__file__).with_name("do_nothing_milter.c")


@contextlib.contextmanager
def do_nothing() -> Generator[str]:
    """Builds it and runs it on a Unix socket; gives what `smtpd_milters` calls it. Needs cc and libmilter-dev."""
    folder = Path(tempfile.mkdtemp(prefix="sealpost-milter-"))
    folder.chmod(0o755)
    program, path = folder / "milter", folder / "socket"
    try:
        subprocess.run(["cc", "-O2", "-o", program, _SOURCE, "-lmilter", "-lpthread"], check=True)
        # Postfix's smtpd, which is not root, has to write to the socket.
        process = subprocess.Popen([program, f"unix:{path}"], umask=0)
        try:
            _wait_for(path, process)
            yield f"unix:{path}"
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postfix_with_milter(sink_port: int) -> Generator[Relay]:
    """As `postfix_relay`, with the milter."""
    with do_nothing() as milter, postfix_asking(milter, sink_port) as relay:
        yield relay


@contextlib.contextmanager
def postfix_asking(milter: str, sink_port: int) -> Generator[Relay]:
    """As `postfix_relay`, with what it calls this milter."""
    port = free_port()
    extra = [
        f"relayhost = [127.0.0.1]:{sink_port}",
        f"smtpd_milters = {milter}",
        "milter_default_action = tempfail",
        # What a milter takes never reaches the queue, and Postfix would have each such message wait a second.
        "in_flow_delay = 0",
    ]
    with postfix("postfix.example", [Service(port=port)], extra) as instance:
        yield Relay(name="postfix, milter", port=port, pid=instance.pid)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the milter did not start")
        time.sleep(0.05)
