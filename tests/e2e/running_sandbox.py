"""`sealpost sandbox` as a person starts it: a process of its own, on free ports, with its own folder."""

import contextlib
import json
import shlex
import signal
import smtplib
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.sandbox.household import Household, Ports

ROOT = Path(__file__).parents[2]
LAST_LINE = "Ctrl-C stops all of it."
FREE_PORTS = [word for name in ("smtp", "admin", "inbox", "dns", "mx", "portal") for word in (f"--{name}-port", "0")]


def command(*words: str) -> list[str]:
    """The command line's program with some words."""
    return [sys.executable, "-m", "gateway", *words]


@dataclass(slots=True)
class Sandbox:
    """A sandbox that has said that it is ready; ``welcome`` is what it said."""

    process: subprocess.Popen[str] = field(repr=False)
    data: Path
    welcome: str

    @property
    def ports(self) -> Ports:
        ports = Household(self.data).read_ports()
        assert ports is not None
        return ports

    def lines_to_try(self) -> tuple[list[str], list[str]]:
        """The words of the lines that it proposes: one by enforced TLS, one into the portal."""
        first, second = [shlex.split(line) for line in self.welcome.splitlines() if "sandbox send" in line]
        return first, second

    def send(self, *words: str) -> dict[str, Any]:
        """Sends a message with `sandbox send --json`; returns what became of each recipient, by address."""
        line = command("sandbox", "send", "--data", str(self.data), "--json", *words)
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return {one["recipient"]: one for one in json.loads(done.stdout)["recipients"]}

    def get(self, path: str) -> bytes:
        """A page of the inbox."""
        with urllib.request.urlopen(self.ports.inbox_url + path, timeout=30) as page:
            return page.read()

    def messages(self, address: str = "") -> list[dict[str, Any]]:
        """``/messages.json``, of all or of one recipient."""
        listed = json.loads(self.get("/messages.json"))
        return [one for one in listed if not address or address in one["rcpt_to"]]

    def past_the_gateway(self, host: str, address: str, content: bytes) -> None:
        """Hands a message to a host of the world inside TLS, with no gateway that could know of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP(host, self.ports.mx, timeout=30) as client:
            client.starttls(context=context)
            client.sendmail("stranger@elsewhere.example", [address], content)

    def family(self) -> list[int]:
        """The processes of the sandbox: itself, the gateway, and its workers."""
        found, unseen = [], [self.process.pid]
        while unseen:
            pid = unseen.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                unseen += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def stop(self, how: signal.Signals) -> str:
        """Stops it; returns the rest of what it said."""
        self.process.send_signal(how)
        said, _ = self.process.communicate(timeout=40)
        return said


@contextlib.contextmanager
def sandbox(data: Path, options: Sequence[str] = ()) -> Generator[Sandbox]:
    """Starts one and waits until it says that it is ready; ends it, if the test has not."""
    line = command("sandbox", "--data", str(data), *FREE_PORTS, *options)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        try:
            yield Sandbox(process, data, _welcome(process))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(20)


def _welcome(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    while LAST_LINE not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for what another process does. Raises AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
