"""Contract of the exporter: what the spool has is in the chain, once and in order, whatever happened meanwhile."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.audit.exporter import Exporter
from gateway.audit.files import exported
from gateway.audit.keys import BadAuditKey
from gateway.core.audit_chain import Flaw
from gateway.core.audit_line import Mark
from gateway.spool.lock import Locked
from gateway.spool.outgoing import last_seq
from tests.audit.places import Place, values
from tests.spool.audited import spoil


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return Place(tmp_path)


def kinds(at: Place) -> list[str]:
    return [json.loads(line.event)["kind"] for line in at.lines()]


def test_every_event_is_told_once_and_in_order(at: Place) -> None:
    at.accept(3)
    assert at.export().events == 6
    at.accept(2)
    assert at.export().events == 4
    assert at.export().events == 0
    assert at.queue_ids() == [f"000-{number:06d}" for number in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]
    assert at.flaws() == []
    first, second, *_ = at.lines()
    assert values(first)["sender"] == "officer@council.example"
    assert values(second) == {"recipient": "amy@one.example"}
    assert exported(at.options.folder, 0) == 10


def test_more_than_a_page(at: Place) -> None:
    at.accept(700)
    assert at.export().events == 1400
    assert at.flaws() == [] and at.verdicts()[0].events == 1400


def test_each_shard_has_a_chain_of_its_own(at: Place) -> None:
    at.accept(2)
    at.accept(1, shard=7)
    at.export()
    assert [(one.shard, one.events, one.unsigned) for one in at.verdicts()] == [(0, 4, 0), (7, 2, 0)]
    assert at.flaws() == []


def test_nothing_to_tell_makes_no_line(at: Place) -> None:
    at.spool.mkdir()
    at.export()
    at.accept(1)
    at.export()
    before = at.files()[0].read_bytes()
    at.later(hours=5)
    at.export()
    assert at.files()[0].read_bytes() == before


def test_an_anchor_is_set_at_once_then_at_its_interval_and_at_the_end(at: Place) -> None:
    exporter = at.exporter()
    at.accept(1)
    exporter.step(at.now)
    at.accept(1)
    exporter.step(at.now + timedelta(minutes=9))
    assert kinds(at) == ["accepted", "decided", "anchor", "accepted", "decided"]
    exporter.step(at.now + timedelta(minutes=10))
    assert kinds(at)[-1] == "anchor"
    at.accept(1)
    at.later(minutes=11)
    exporter.close(at.now)
    assert kinds(at)[-1] == "anchor" and len(kinds(at)) == 9
    assert at.flaws() == []


@pytest.mark.parametrize("left", [b'{"hash":"', b"\0" * 4096, b'{"hash":"0', b"x"])
def test_what_a_crash_left_of_a_line_is_cut_off_and_told_again(at: Place, left: bytes) -> None:
    at.accept(2)
    at.export(sign=False)
    file = at.files()[0]
    file.write_bytes(file.read_bytes() + left)
    assert at.flaws() == []
    at.accept(1)
    at.export()
    assert at.flaws() == [] and len(at.queue_ids()) == 6


def test_a_line_that_was_cut_in_the_middle_is_told_again(at: Place) -> None:
    at.accept(2)
    at.export()
    file = at.files()[0]
    for size in range(len(file.read_bytes()) - 1, 0, -97):
        os.truncate(file, size)
        at.export()
        assert at.flaws() == []
        assert at.queue_ids() == ["000-000001", "000-000001", "000-000002", "000-000002"]


def test_an_empty_newest_file_is_filled(at: Place) -> None:
    at.accept(1)
    at.export()
    at.later(days=1)
    at.accept(1)
    at.export()
    os.truncate(at.files()[1], 0)
    at.export()
    assert at.flaws() == [] and len(at.queue_ids()) == 4


def test_a_day_and_a_size_end_a_file_with_an_anchor(at: Place) -> None:
    at.accept(1)
    at.export(sign=False)
    at.later(days=1)
    at.accept(1)
    at.export()
    at.change(file_size=1)
    for _ in range(3):
        at.accept(1)
        at.export()
    assert [file.name for file in at.files()] == [
        "000000000001-2026-03-02.jsonl",
        "000000000003-2026-03-03.jsonl",
        "000000000005-2026-03-03.jsonl",
        "000000000007-2026-03-03.jsonl",
        "000000000009-2026-03-03.jsonl",
    ]
    for file in at.files():
        assert b'"kind":"anchor"' in file.read_bytes().splitlines()[-1]
    assert at.flaws() == []


def test_files_are_removed_when_their_time_is_over_and_the_chain_says_so(at: Place) -> None:
    at.change(keep=timedelta(days=2))
    for _ in range(3):
        at.accept(1)
        at.export()
        at.later(days=1)
    assert len(at.files()) == 3
    at.later(days=1)
    stepped = at.export()
    assert stepped.removed == 1 and len(at.files()) == 2
    assert at.flaws() == [] and Mark.REMOVED in kinds(at)
    at.later(days=30)
    at.export()
    assert len(at.files()) == 1 and at.flaws() == []
    at.accept(1)
    at.export()
    assert at.flaws() == []


def test_a_legal_hold_keeps_all_files(at: Place) -> None:
    at.change(keep=timedelta(days=1), legal_hold=True)
    at.accept(1)
    at.export()
    at.later(days=30)
    at.accept(1)
    assert at.export().removed == 0 and len(at.files()) == 2
    at.change(legal_hold=False)
    at.later(days=2)
    assert at.export().removed == 1


def test_events_that_were_gone_are_told_as_a_gap(at: Place) -> None:
    at.accept(1)
    at.export()
    at.accept(2)
    with sqlite3.connect(at.spool / "shard-000/spool.db") as db:
        db.execute("DELETE FROM events WHERE seq IN (3, 4)")
    db.close()
    at.export()
    verdict = at.verdicts()[0]
    assert (verdict.missing, verdict.events, verdict.flaws) == (2, 4, ())


def test_a_chain_that_begins_late_has_no_gap(at: Place) -> None:
    at.accept(2)
    with sqlite3.connect(at.spool / "shard-000/spool.db") as db:
        db.execute("DELETE FROM events WHERE seq < 3")
    db.close()
    at.export()
    assert (at.verdicts()[0].missing, at.flaws()) == (0, [])


def test_an_event_that_cannot_be_read_holds_up_none(at: Place) -> None:
    at.accept(1)
    spoil(at.spool, "{")
    assert at.export().events == 2
    assert kinds(at) == ["damaged", "decided", "anchor"] and at.flaws() == []


def test_another_spool_does_not_go_on_with_the_chain(at: Place) -> None:
    at.accept(2)
    at.export()
    (at.spool / "shard-000/spool.db").unlink()
    at.accept(1)
    at.accept(1, shard=1)
    stepped = at.export()
    [(shard, trouble)] = stepped.troubles
    assert shard == 0 and "another spool" in trouble and stepped.events == 2
    assert len(at.queue_ids()) == 4


def test_a_changed_last_line_stops_the_chain_and_no_other(at: Place) -> None:
    at.accept(1)
    at.export()
    file = at.files()[0]
    file.write_bytes(file.read_bytes().replace(b'"kind":"anchor"', b'"kind":"anchop"'))
    at.accept(1)
    at.accept(1, shard=1)
    stepped = at.export()
    assert "damaged" in stepped.troubles[0][1] and stepped.events == 2
    assert exported(at.options.folder, 0) == 0
    assert Flaw.CHANGED in at.flaws()


def test_two_exporters_do_not_write_to_one_folder(at: Place) -> None:
    at.accept(1)
    exporter = at.exporter()
    with pytest.raises(Locked):
        at.exporter()
    exporter.close(at.now)
    at.exporter().close(at.now)


def test_a_full_disk_is_trouble_and_is_made_good(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    at.accept(2)
    exporter = at.exporter()
    write = os.write
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", lambda fd, data: (write(fd, bytes(data)[:100]), _full())[0])
        assert exporter.step(at.now).troubles
    assert exporter.step(at.now).events == 4
    exporter.close(at.now)
    assert at.flaws() == [] and len(at.queue_ids()) == 4


def _full() -> None:
    raise OSError(28, "No space left on device")


def test_a_key_of_another_kind_is_refused(at: Place) -> None:
    at.change(key=b"nonsense")
    with pytest.raises(BadAuditKey):
        Exporter(at.spool, at.options)


_KILLED = """
import sys
from pathlib import Path
from tests.audit.places import Place
at = Place(Path(sys.argv[1]))
at.change(file_size=20_000)
exporter = at.exporter()
print("open", flush=True)
while True:
    exporter.step(at.now)
"""


def test_kill_9_at_any_time_leaves_a_chain_that_goes_on(at: Place) -> None:
    accepted = 0
    for round in range(8):
        killed = subprocess.Popen([sys.executable, "-c", _KILLED, str(at.folder)], stdout=subprocess.PIPE)
        assert killed.stdout is not None
        with killed.stdout:
            assert killed.stdout.readline()
            for _ in range(1 + 3 * round):
                accepted += len(at.accept(20))
            killed.send_signal(signal.SIGKILL)
            killed.wait(30)
        assert set(at.flaws()) <= {Flaw.UNSIGNED}
    at.export()
    assert at.flaws() == []
    ids = at.queue_ids()
    assert len(ids) == accepted == last_seq(at.spool / "shard-000/spool.db")
    assert ids == sorted(ids)
