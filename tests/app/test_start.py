"""What makes a start impossible is found before any process is executed; what is ready is announced to a person."""

import io
import os
import pty
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import start
from gateway.app.control import open_control
from gateway.app.sockets import open_sockets
from gateway.app.start import CannotStart, count_workers, run_gateway
from gateway.app.supervisor import Held
from gateway.app.wiring import Address, Wiring
from tests.app.world import EditedSource
from tests.spool.power import Disk, Luck
from tests.spool.trace import recorded

WIRING = Wiring(hostname="gateway.example", workers=2, spool=Path("/nowhere"), smtp=(), admin=None, log_level="info")


def test_workers_are_as_configured_or_at_most_four(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_workers(WIRING) == 2
    for processors, workers in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=processors: set(range(count)))
        assert count_workers(replace(WIRING, workers=0)) == workers


def test_a_spool_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would take pytest's own handlers away.
    monkeypatch.setattr(start, "adopt_standard_logging", lambda _: None)
    (tmp_path / "file").touch()
    source = EditedSource("first", replace(WIRING, spool=tmp_path / "file" / "spool"))
    with pytest.raises(CannotStart, match=r"cannot make the spool .*/file/spool: Not a directory"):
        run_gateway(source)


def held(folder: Path) -> Held:
    address = Address(name="x", host="::1", port=0)
    return Held(
        doors=(open_sockets(address, 1),),
        admin=open_sockets(replace(address, host="127.0.0.1"), 1)[0],
        control=open_control(folder),
        metrics=folder,
    )


def test_a_person_is_told_where_everything_is_and_a_log_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = held(tmp_path)
    assert everything.admin is not None
    smtp, admin = everything.doors[0][0].getsockname()[1], everything.admin.getsockname()[1]
    file = io.StringIO()
    monkeypatch.setattr(start.sys, "stderr", file)
    start._announce(everything)
    assert file.getvalue() == ""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(start.sys, "stderr", terminal)
        start._announce(everything)
        terminal.flush()
        told = os.read(ours, 1000).decode().strip()
    os.close(ours)
    assert (
        told
        == f"Sealpost is ready: mail on [::1]:{smtp}; metrics on http://127.0.0.1:{admin}/metrics. Ctrl-C stops it."
    )
    for sock in (*everything.doors[0], everything.admin, everything.control):
        sock.close()


MAKE = """
import sys
from pathlib import Path
from gateway.app import start
start._make(Path(sys.argv[1]))
"""


@pytest.mark.peer("strace")
async def test_a_spool_that_was_just_made_is_there_after_a_power_cut(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    done = await recorded(var, 0, MAKE, str(var / "spool" / "sealpost"))
    Disk(done, Luck()).restore(var, tmp_path / "image")
    assert (tmp_path / "image" / "spool" / "sealpost").is_dir()
