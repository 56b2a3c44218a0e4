"""The audit's chain: whatever is changed, taken out, put in or moved is found, and a value taken out is not missed."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.audit_chain import UNSIGNED_FOR, Flaw, Piece, join, walk
from gateway.core.audit_line import (
    GENESIS,
    Anchor,
    Gap,
    Line,
    Malformed,
    Open,
    Removed,
    Taken,
    event_text,
    personal_of,
    read_line,
)
from gateway.core.audit_link import read_link, signed_text
from gateway.core.audit_record import Persons, Record

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
AT = NOW.isoformat()
SALTS = [f"{number:032x}" for number in range(8)]
KEY = "known"


def sign(text: bytes) -> bytes:
    """Stands in for a signature: only its length matters here."""
    return sha256(b"secret" + text).digest() * 2


def trust(key: str, text: bytes, signature: bytes) -> Flaw | None:
    if key != KEY:
        return Flaw.KEY
    return None if signature == sign(text) else Flaw.SIGNATURE


class Chain:
    """Lines as an exporter writes them."""

    def __init__(self, prev: str = GENESIS, seq: int = 0, shard: int = 0) -> None:
        self.prev, self.seq, self.shard = prev, seq, shard
        self.lines: list[bytes] = []

    def put(self, line: Line) -> None:
        self.prev = line.hash
        self.lines.append(line.to_bytes().rstrip(b"\n"))

    def event(self, sender: str = "a@b.example", recipient: str = "") -> None:
        self.seq += 1
        record = Record(kind="accepted", at=AT, queue_id="000-x", number=0)
        personal = personal_of(Persons(sender=sender, recipient=recipient), SALTS)
        self.put(Line(prev=self.prev, personal=personal, event=event_text(self.shard, self.seq, record)))

    def gap(self, first: int, last: int) -> None:
        self.seq = last
        self.put(Line(prev=self.prev, personal=(), event=event_text(self.shard, last, Gap(at=AT, first=first))))

    def removed(self, through: str) -> None:
        event = event_text(self.shard, self.seq, Removed(at=AT, through=through, files=1))
        self.put(Line(prev=self.prev, personal=(), event=event))

    def anchor(self, key: str = KEY, at: datetime = NOW, secret: bytes = b"") -> None:
        event = event_text(self.shard, self.seq, Anchor(at=at.isoformat(), key=key))
        bare = Line(prev=self.prev, personal=(), event=event)
        signature = sign(secret + signed_text(bare.hash)).hex()
        self.put(Line(prev=self.prev, personal=(), event=event, signature=signature))


def whole(events: int = 6, anchors: int = 3) -> Chain:
    chain = Chain()
    for number in range(events):
        chain.event(sender=f"s{number}@b.example", recipient="r@c.example")
        if number % anchors == anchors - 1:
            chain.anchor()
    return chain


def flaws(*files: Sequence[bytes], shard: int = 0, now: datetime = NOW) -> list[tuple[Flaw, str, int]]:
    pieces = [walk(str(number), lines, trust) for number, lines in enumerate(files)]
    return [(found.flaw, found.file, found.line) for found in join(shard, pieces, now).flaws]


def test_a_whole_chain_is_good_and_counted() -> None:
    chain = whole()
    verdict = join(0, [walk("0", chain.lines, trust)], NOW)
    assert (verdict.flaws, verdict.lines, verdict.events, verdict.last) == ((), 8, 6, 6)
    assert (verdict.head, verdict.anchored, verdict.unsigned, verdict.missing) == (chain.prev, NOW, 0, 0)


@given(data=st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    lines = whole().lines
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[number][place]))
    lines[number] = lines[number][:place] + bytes([byte]) + lines[number][place + 1 :]
    found = flaws(lines)
    # JSON has a second way to write a letter only by more bytes, so a changed byte is always another text.
    assert found and found[0][2] <= number + 1


@given(first=st.integers(0, 6), count=st.integers(1, 7))
def test_a_cut_in_the_middle_is_found(first: int, count: int) -> None:
    lines = whole().lines
    del lines[first : min(first + count, len(lines) - 1)]
    if len(lines) < 8:
        assert flaws(lines)


@given(st.integers(0, 7), st.integers(0, 7))
def test_two_lines_in_each_others_place_are_found(one: int, other: int) -> None:
    lines = whole().lines
    lines[one], lines[other] = lines[other], lines[one]
    assert bool(flaws(lines)) == (one != other)


@given(st.integers(0, 7), st.integers(0, 8))
def test_a_line_that_stands_there_twice_is_found(number: int, place: int) -> None:
    lines = whole().lines
    lines.insert(place, lines[number])
    assert flaws(lines)


@given(st.lists(st.integers(1, 7), max_size=3, unique=True))
def test_files_are_joined_wherever_one_ends(cuts: list[int]) -> None:
    lines = whole().lines
    places = [0, *sorted(cuts), len(lines)]
    files = [lines[start:end] for start, end in pairwise(places)]
    assert flaws(*files) == []
    for number in range(1, len(files)):
        assert flaws(*files[: number - 1], *files[number:])


def test_who_writes_the_end_anew_cannot_sign_it() -> None:
    chain = whole()
    forged = Chain(prev=json.loads(chain.lines[3])["hash"], seq=3)
    forged.event("other@b.example")
    forged.anchor(secret=b"guessed")
    assert flaws([*chain.lines[:4], *forged.lines]) == [(Flaw.SIGNATURE, "0", 6)]
    forged = Chain(prev=json.loads(chain.lines[3])["hash"], seq=3)
    forged.anchor(key="own")
    assert flaws([*chain.lines[:4], *forged.lines]) == [(Flaw.KEY, "0", 5)]


def test_an_anchor_without_a_signature_is_none() -> None:
    chain = Chain()
    chain.put(Line(prev=GENESIS, personal=(), event=event_text(0, 0, Anchor(at=AT, key=KEY))))
    assert flaws(chain.lines)[0] == (Flaw.SIGNATURE, "0", 1)


def test_lines_that_nobody_signs_for_a_day_are_a_flaw() -> None:
    chain = whole()
    chain.event()
    assert flaws(chain.lines, now=NOW + UNSIGNED_FOR) == []
    assert flaws(chain.lines, now=NOW + UNSIGNED_FOR + timedelta(seconds=1)) == [(Flaw.UNSIGNED, "0", 9)]
    chain = Chain()
    chain.event()
    assert flaws(chain.lines) == [(Flaw.UNSIGNED, "0", 1)]


def test_unsigned_lines_are_counted_over_files() -> None:
    chain = whole()
    for _ in range(3):
        chain.event()
    pieces = [walk("0", chain.lines[:9], trust), walk("1", chain.lines[9:], trust)]
    assert join(0, pieces, NOW).unsigned == 3


def test_numbers_follow_each_other_and_gaps_are_told() -> None:
    chain = whole()
    chain.gap(7, 9)
    chain.event()
    piece = walk("0", chain.lines, trust)
    assert (piece.flaws, piece.missing, piece.seq) == ([], 3, 10)
    for wrong in (lambda one: setattr(one, "seq", 12), lambda one: one.gap(12, 12), lambda one: one.gap(11, 10)):
        chain = whole()
        chain.gap(7, 9)
        wrong(chain)
        chain.event()
        assert flaws(chain.lines)[0][0] is Flaw.NUMBER
    chain = whole()
    chain.seq = 9
    chain.anchor()
    assert flaws(chain.lines)[0] == (Flaw.NUMBER, "0", 9)


def test_numbers_follow_each_other_from_file_to_file() -> None:
    chain = whole()
    cut = len(chain.lines)
    chain.seq = 8
    chain.event()
    chain.anchor()
    assert flaws(chain.lines[:cut], chain.lines[cut:]) == [(Flaw.NUMBER, "1", 1)]


def test_a_chain_may_lose_its_beginning_only_where_it_says_so_and_that_is_signed() -> None:
    chain = whole()
    through = json.loads(chain.lines[3])["hash"]
    assert flaws(chain.lines[4:]) == [(Flaw.BEGINNING, "0", 1)]
    chain.removed(through)
    assert flaws(chain.lines[4:]) == [(Flaw.BEGINNING, "0", 1)]
    chain.anchor()
    assert flaws(chain.lines[4:]) == []
    assert flaws(chain.lines[5:]) == [(Flaw.BEGINNING, "0", 1)]


def test_files_that_begin_with_what_is_no_event() -> None:
    chain = whole()
    cut = len(chain.lines)
    chain.removed(GENESIS)
    chain.gap(7, 8)
    chain.anchor()
    assert flaws(chain.lines[:cut], chain.lines[cut:]) == []
    assert flaws(chain.lines[: cut + 1], chain.lines[cut + 1 :]) == []
    assert flaws(chain.lines[: cut + 2], chain.lines[cut + 2 :]) == []


def test_another_shards_line_is_found() -> None:
    chain = whole()
    assert flaws(chain.lines, shard=1) == [(Flaw.BROKEN, "0", 1)]
    chain.shard = 1
    chain.event()
    assert flaws(chain.lines) == [(Flaw.BROKEN, "0", 9)]


def test_a_broken_file_hides_no_other_and_blames_no_other() -> None:
    chain = whole()
    assert flaws(chain.lines[:3], [b"nonsense"], chain.lines[3:]) == [(Flaw.CHANGED, "1", 1)]
    later = [*chain.lines[4:6], b"nonsense"]
    assert flaws([b"nonsense"], later) == [(Flaw.CHANGED, "0", 1), (Flaw.CHANGED, "1", 3), (Flaw.UNSIGNED, "1", 3)]


def test_files_without_lines_are_passed_over() -> None:
    chain = whole()
    assert flaws(chain.lines, []) == []
    assert flaws([]) == []
    assert join(0, [], NOW).lines == 0


@given(value=st.text(), name=st.sampled_from(["sender", "recipient"]))
def test_a_value_is_read_back_and_can_be_taken_out(value: str, name: str) -> None:
    line = Line(prev=GENESIS, personal=((name, Open(SALTS[0], value)),), event=b"{}")
    assert read_line(line.to_bytes().rstrip(b"\n")) == line
    without = line.without({name})
    assert without.hash == line.hash and isinstance(without.personal[0][1], Taken)
    assert read_line(without.to_bytes().rstrip(b"\n")) == without
    assert line.without({"other"}) == line and without.without({name}) == without


def test_a_chain_holds_without_its_persons() -> None:
    lines = [read_line(data).without({"sender"}).to_bytes().rstrip(b"\n") for data in whole().lines]
    assert flaws(lines) == []
    assert not any(b"s1@b.example" in data for data in lines) and any(b"r@c.example" in data for data in lines)


def hashed(
    personal: str, event: str = '{"shard":0,"seq":1,"kind":"accepted","at":"2026-03-02T09:30:00+00:00"}'
) -> bytes:
    """A line whose hash is that of its event alone."""
    right = sha256(f"{GENESIS}\n".encode() + event.encode()).hexdigest()
    return f'{{"hash":"{right}","prev":"{GENESIS}","personal":{personal},"event":{event}}}'.encode()


def test_the_hand_made_line_is_good() -> None:
    assert read_link(hashed("{}")).seq == 1


@pytest.mark.parametrize(
    "personal",
    [
        "[]",
        "1",
        "{",
        "\xff",
        "[" * 100_000,
        '{"a":["x","y"]}',
        '{"a":"x"}',
        '{"A":["' + SALTS[0] + '","y"]}',
        '{"a":{}}',
    ],
)
def test_a_personal_part_of_another_form_is_refused(personal: str) -> None:
    with pytest.raises(Malformed, match=r"person"):
        read_line(hashed(personal))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("1", "object"),
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("{}", "no number"),
        ('{"shard":0,"seq":1,"kind":"a","at":"noon"}', "time"),
        ('{"shard":0,"seq":1,"kind":"a","at":"2026-03-02T09:30:00"}', "zone"),
        ('{"shard":0,"seq":"1","kind":"a","at":"2026-03-02T09:30:00+00:00"}', "no number"),
    ],
)
def test_an_event_of_another_form_is_refused(event: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        read_link(hashed("{}", event))


def test_a_gap_whose_beginning_is_no_number_is_one_event() -> None:
    event = '{"shard":0,"seq":1,"kind":"gap","first":"1","at":"2026-03-02T09:30:00+00:00"}'
    assert read_link(hashed("{}", event)).first == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_a_line_or_malformed(data: bytes) -> None:
    assert isinstance(walk("0", [data], trust), Piece)


def test_only_the_last_brace_ends_a_line() -> None:
    line = hashed("{}")
    for other in (line[:-1], line + b" ", line + b"}", b" " + line):
        with pytest.raises(Malformed):
            read_line(other)
