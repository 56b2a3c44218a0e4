"""The shared state from outside: beside a worker, and without one."""

from datetime import date
from pathlib import Path

import pytest

from gateway.core.facts import Label, LabelResult
from gateway.flow.labels_seen import LabelsSeen, SeenLabel
from gateway.flow.ports import SpoolError
from gateway.spool.state import SharedState
from gateway.spool.state_reader import labels_seen, read_state
from tests.spool.samples import HOUR, START, StandingClock

GARBLED = Label(source="header X-Classification", raw="TOP SECRET", result=LabelResult.GARBLED, level=None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_it_is_read_while_a_worker_runs_and_after_it(tmp_path: Path) -> None:
    store = await SharedState.open(tmp_path / "state.db", StandingClock())
    await store.put_many({"a/1": b"one", "a/2": b"two", "b/1": b"other"}, START + HOUR)
    assert read_state(tmp_path, "a/", 10, START) == {"a/1": b"one", "a/2": b"two"}
    seen = LabelsSeen(store)
    seen.note([GARBLED])
    await seen.write(START)
    await store.aclose()
    before = names(tmp_path)
    assert read_state(tmp_path, "a/", 1, START) == {"a/1": b"one"}
    assert read_state(tmp_path, "a/", 10, START + HOUR) == {}
    assert labels_seen(tmp_path, START) == (
        SeenLabel(source="header X-Classification", value="TOP SECRET", count=1, last=date(2026, 3, 2)),
    )
    assert names(tmp_path) == before


def test_without_a_spool_nothing_was_shared(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none", "a/", 10, START) == {}
    assert labels_seen(tmp_path, START) == ()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"damaged" * 5000)
    with pytest.raises(SpoolError, match="cannot be read"):
        read_state(tmp_path, "a/", 10, START)
