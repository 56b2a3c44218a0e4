"""The load and its end: Postfix's smtp-source and smtp-sink."""

import contextlib
import os
import re
import selectors
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass

SENDER = "load@council.example"
RECIPIENT = "sink@sink.example"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Until something listens there. Raises RuntimeError when the process ends or time runs out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing came to listen on port {port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How much is sent: ``kept`` reuses each session's connection for all its messages."""

    name: str
    messages: int
    sessions: int
    size: int
    kept: bool = False

    def command(self, port: int) -> list[str]:
        """The smtp-source command line."""
        kept = ["-d"] if self.kept else []
        counts = ["-s", str(self.sessions), "-m", str(self.messages), "-l", str(self.size)]
        return ["/usr/sbin/smtp-source", *kept, *counts, "-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{port}"]


class Sink:
    """A running smtp-sink and its count of messages."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process
        self._text = b""
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ)

    @property
    def count(self) -> int:
        found = re.findall(rb"mesg=(\d+)", self._text)
        return int(found[-1]) if found else 0

    def wait(self, count: int, seconds: float) -> None:
        """Until that many messages have come. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while self.count < count:
            if time.monotonic() > until:
                raise TimeoutError(f"the sink counted {self.count} of {count}")
            self._read()

    def _read(self) -> None:
        assert self._process.stdout is not None
        if self._selector.select(1):
            self._text = self._text[-200:] + os.read(self._process.stdout.fileno(), 65536)


@contextlib.contextmanager
def sink() -> Generator[Sink]:
    """Starts an smtp-sink that counts; ends it."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = ["/usr/sbin/smtp-sink", *user, "-c", f"127.0.0.1:{port}", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Sink(port, process)
    finally:
        process.kill()
        process.wait()
