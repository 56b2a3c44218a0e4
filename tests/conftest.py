"""Names the peers that the tests need, and says at the end which tests were not run for want of one."""

import os
import shutil
import signal
from collections import Counter

import pytest


def _daemon(name: str) -> bool:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") is not None


PEERS = {
    "postfix": lambda: _daemon("postfix"),
    "swaks": lambda: shutil.which("swaks") is not None,
    "openssl": lambda: shutil.which("openssl") is not None,
    "zip": lambda: shutil.which("zip") is not None,
    "nsd": lambda: _daemon("nsd"),
    "unbound": lambda: _daemon("unbound"),
    "posttls-finger": lambda: _daemon("posttls-finger"),
    "opendkim": lambda: _daemon("opendkim-testmsg"),
    "chromium": lambda: any(map(shutil.which, ("chromium-headless-shell", "chromium"))),
    "clamd": lambda: _daemon("clamd"),
    "slapd": lambda: _daemon("slapd"),
    "7zz": lambda: shutil.which("7zz") is not None,
    "qpdf": lambda: shutil.which("qpdf") is not None,
    "gpg": lambda: shutil.which("gpg") is not None,
    "strace": lambda: shutil.which("strace") is not None,
    "miltertest": lambda: shutil.which("miltertest") is not None,
    "root": lambda: os.geteuid() == 0,
}

MISSING = "missing peer: "


def pytest_configure() -> None:
    """Gives Ctrl-C back to the programs that tests start: a shell takes it from what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves a test out, by name and aloud, when its peer is missing; fails it where all peers are required."""
    missing = [mark.args[0] for mark in item.iter_markers("peer") if not PEERS[mark.args[0]]()]
    if not missing:
        return
    if os.environ.get("SEALPOST_PEERS") == "required":
        pytest.fail(f"a required peer is missing: {', '.join(missing)}")
    pytest.skip(MISSING + ", ".join(missing))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each missing peer, from the reports, because tests may have run in processes of their own."""
    reasons = [str(report.longrepr) for report in terminalreporter.getreports("skipped")]
    not_run = Counter(reason.rpartition(MISSING)[2].rstrip("')") for reason in reasons if MISSING in reason)
    for names, count in sorted(not_run.items()):
        terminalreporter.write_line(f"{count} peer tests not run: {names} missing — `make peers`")
