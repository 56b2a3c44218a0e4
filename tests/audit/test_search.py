"""Searching the exported chains and the spool gives the same; and who is taken out is found no more."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.audit.files import alone, shard_folder
from gateway.audit.redact import redact
from gateway.audit.search import search
from gateway.audit.trails import Chains, SpoolTrail, Trail
from gateway.core.audit_query import By, Criterion, Entry, Query
from tests.audit.places import Place

AMY, BO = "amy@one.example", "bo@two.example"
SENDER = "officer@council.example"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Four messages in two shards; Bo has two of them."""
    place = Place(tmp_path)
    place.accept(to=AMY)
    place.accept(to=BO)
    place.accept(to=AMY, shard=1)
    place.accept(to=BO, shard=1)
    place.export()
    return place


@pytest.fixture(params=["chains", "spool"])
def trail(place: Place, request: pytest.FixtureRequest) -> Trail:
    return Chains(place.options.folder) if request.param == "chains" else SpoolTrail(place.spool)


def found(trail: Trail, *criteria: tuple[By, str]) -> list[tuple[str, str]]:
    query = Query(criteria=tuple(Criterion(by, value) for by, value in criteria))
    return [(entry.record.queue_id, entry.record.kind) for entry in search(trail, query)]


def test_all_of_a_message_is_told_whichever_of_its_events_was_asked_for(trail: Trail) -> None:
    second = [("000-000002", "accepted"), ("000-000002", "decided")]
    fourth = [("001-000004", "accepted"), ("001-000004", "decided")]
    assert sorted(found(trail, (By.RECIPIENT, BO.upper()))) == second + fourth
    assert found(trail, (By.RECIPIENT, BO), (By.QUEUE_ID, "001-000004")) == fourth
    assert found(trail, (By.RECIPIENT, BO), (By.RECIPIENT, AMY)) == []
    assert len(found(trail, (By.SENDER, SENDER))) == 8
    assert len(found(trail)) == 8


def test_both_trails_tell_the_same(place: Place) -> None:
    def told(trail: Trail) -> list[Entry]:
        return sorted(trail.entries(), key=lambda entry: (entry.shard, entry.seq))

    assert told(Chains(place.options.folder)) == told(SpoolTrail(place.spool))


def test_a_time_is_asked_of_the_message_and_not_of_the_event_that_was_found(trail: Trail) -> None:
    (first, *_) = trail.entries()
    moment = datetime.fromisoformat(first.record.at)
    asked = (Criterion(By.RECIPIENT, BO),)
    assert len(list(search(trail, Query(criteria=asked, since=moment)))) == 4
    assert list(search(trail, Query(criteria=asked, since=moment + timedelta(days=1)))) == []
    assert len(list(search(trail, Query(until=moment + timedelta(days=1))))) == 8
    assert list(search(trail, Query(until=moment - timedelta(days=1)))) == []


class Given:
    """A trail of entries."""

    def __init__(self, *entries: Entry) -> None:
        self._entries = entries

    def entries(self, mentions: str = "") -> Iterator[Entry]:
        return iter(self._entries)

    def entries_of(self, queue_ids: object) -> Iterator[Entry]:
        return iter(self._entries)


def test_a_subject_access_request_shows_nobody_else_who_got_it(place: Place) -> None:
    accepted, decided = SpoolTrail(place.spool).entries_of({"000-000001"})
    other = replace(decided, persons=replace(decided.persons, recipient=BO))
    person = Query(criteria=(Criterion(By.PERSON, AMY),))
    assert list(search(Given(accepted, decided, other), person)) == [accepted, decided]
    # Who wrote it knows to whom.
    writer = Query(criteria=(Criterion(By.PERSON, SENDER),))
    assert list(search(Given(accepted, decided, other), writer)) == [accepted, decided, other]


def test_who_is_taken_out_is_found_no_more_and_the_chain_holds(place: Place) -> None:
    before = [verdict.head for verdict in place.verdicts()]
    seen: list[Path] = []
    assert redact(place.options.folder, BO.upper(), seen.append) == 2
    assert len(seen) == 2
    trail = Chains(place.options.folder)
    assert found(trail, (By.RECIPIENT, BO)) == found(trail, (By.PERSON, BO)) == []
    assert len(found(trail, (By.PERSON, AMY))) == 4
    assert BO not in "".join(path.read_text() for shard in (0, 1) for path in place.files(shard))
    assert [verdict.head for verdict in place.verdicts()] == before and place.flaws() == []
    (entry,) = (entry for entry in trail.entries_of({"000-000002"}) if entry.record.kind == "decided")
    assert (entry.persons.recipient, entry.taken) == ("", {"recipient"})
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.files())
    assert redact(place.options.folder, BO, seen.append) == 0


def test_the_exporter_goes_on_behind_a_file_that_was_replaced(place: Place) -> None:
    exporter = place.exporter()
    place.accept(to=BO)
    exporter.step(place.now)
    redact(place.options.folder, BO, lambda _: None)
    place.accept(to=AMY)
    exporter.step(place.now)
    exporter.close(place.now)
    assert place.flaws() == []
    assert found(Chains(place.options.folder), (By.RECIPIENT, BO)) == []
    assert len(found(Chains(place.options.folder), (By.RECIPIENT, AMY))) == 6


def test_a_file_is_not_replaced_while_lines_are_added_to_it(place: Place) -> None:
    done = threading.Event()

    def take_out() -> None:
        redact(place.options.folder, BO, lambda _: None)
        done.set()

    with alone(shard_folder(place.options.folder, 1)):
        thread = threading.Thread(target=take_out)
        thread.start()
        # The other shard's is done by then, and this one's waits.
        assert not done.wait(0.3)
        assert any(BO in path.read_text() for path in place.files(1))
    thread.join(10)
    assert done.is_set() and not any(BO in path.read_text() for path in place.files(1))


def test_a_line_that_was_changed_stays_for_verify_to_find(place: Place) -> None:
    (path,) = place.files(0)
    path.write_bytes(path.read_bytes().replace(b"one.example", b"six.example"))
    changed = path.read_bytes()
    assert b"six.example" in changed
    redact(place.options.folder, "amy@six.example", lambda _: None)
    assert path.read_bytes() == changed
