"""Reading decided messages out of the audit in stretches."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.decision import Open, Refused
from gateway.core.record import EventKind, Kind
from gateway.core.tls import Protection
from gateway.flow.ports import SpoolError
from gateway.spool.past import Past, read, stretches
from tests.fixtures.build import facts
from tests.spool.audited import MINUTE, events, spoil, write
from tests.spool.samples import START, routed

OPEN = Open(rule="R", missing=("x",), floor=Protection.ENCRYPTED, reason="not known", advice="wait")
REFUSED = Refused(rule="No", floor=Protection.ENCRYPTED, reason="known now", advice="call")


def all_of(spool: Path, length: int = 1000) -> list[Past]:
    return [past for stretch in stretches(spool, START, length) for past in read(stretch).messages]


def test_a_message_comes_with_what_was_known_and_decided_for_each_recipient(tmp_path: Path) -> None:
    write(tmp_path, events("000-a", facts("restricted"), ("b@x.example", routed()), ("c@y.example", REFUSED)))
    [past] = all_of(tmp_path)
    assert past.queue_id == "000-a"
    assert past.policy_hash == "p1"
    assert past.facts.classification.level == "restricted"
    assert past.decisions == (("b@x.example", routed()), ("c@y.example", REFUSED))


def test_our_own_mail_is_left_out(tmp_path: Path) -> None:
    report = events("000-a", None, ("b@x.example", routed()), kind=Kind.REPORT)
    write(tmp_path, report, events("000-b", facts(), ("b@x.example", routed())))
    assert [past.queue_id for past in all_of(tmp_path)] == ["000-b"]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 100])
def test_an_open_message_counts_by_its_later_decision_wherever_that_stands(tmp_path: Path, length: int) -> None:
    first = events("000-a", facts(), ("b@x.example", OPEN))
    other = events("000-b", facts(), ("c@x.example", routed()))
    decided = replace(first[1], at=START + MINUTE, decision=REFUSED)
    again = replace(first[1], at=START + 2 * MINUTE, decision=routed())
    write(tmp_path, first, other, (decided, again))
    assert [(past.queue_id, past.decisions) for past in all_of(tmp_path, length)] == [
        ("000-a", (("b@x.example", REFUSED),)),
        ("000-b", (("c@x.example", routed()),)),
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(1, 12))
def test_the_length_of_stretches_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, recipients: list[int], length: int
) -> None:
    spool = tmp_path_factory.mktemp("spool")
    groups = [
        events(f"000-{number}", facts(), *((f"r{n}@x.example", routed()) for n in range(count)))
        for number, count in enumerate(recipients)
    ]
    write(spool, *groups)
    found = all_of(spool, length)
    assert [len(past.decisions) for past in found] == recipients
    assert found == all_of(spool)


def test_every_shard_is_read_and_nothing_older_than_asked(tmp_path: Path) -> None:
    old = events("000-a", facts(), ("b@x.example", routed()), at=START - MINUTE)
    write(tmp_path, old, events("000-b", facts(), ("b@x.example", routed())))
    write(tmp_path, events("007-c", facts(), ("b@x.example", routed())), shard=7)
    write(tmp_path, events("009-d", facts(), ("b@x.example", routed()), at=START - MINUTE), shard=9)
    assert [past.queue_id for past in all_of(tmp_path)] == ["000-b", "007-c"]
    assert stretches(tmp_path / "nothing", START) == ()


@pytest.mark.parametrize("record", ["no json", '{"event": {"kind": "accepted"}}'])
def test_a_damaged_event_is_counted_and_the_others_are_read(tmp_path: Path, record: str) -> None:
    write(tmp_path, events("000-a", facts(), ("b@x.example", routed())))
    write(tmp_path, events("000-b", facts(), ("b@x.example", routed())))
    spoil(tmp_path, record)
    [stretch] = stretches(tmp_path, START)
    found = read(stretch)
    assert [past.queue_id for past in found.messages] == ["000-b"]
    assert found.damaged == 1


def test_attempts_and_ends_are_not_looked_at(tmp_path: Path) -> None:
    told = events("000-a", facts(), ("b@x.example", routed()))
    end = replace(told[1], kind=EventKind.ENDED, decision=None, text="over")
    write(tmp_path, told, [end] * 3000, events("000-b", facts(), ("b@x.example", routed())))
    assert [past.queue_id for past in all_of(tmp_path)] == ["000-a", "000-b"]


def test_what_is_no_spool_is_said(tmp_path: Path) -> None:
    (tmp_path / "shard-000").mkdir()
    (tmp_path / "shard-000/spool.db").write_bytes(b"not a database" * 100)
    with pytest.raises(SpoolError, match="cannot read"):
        stretches(tmp_path, START)
