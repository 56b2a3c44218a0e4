import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.address import Address, NullPath
from gateway.core.chronicle import without_words
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.envelope import Client, Envelope, Recipient
from gateway.core.facts import Attachment, Classification, Facts, Label, LabelResult, Lookup, Missing
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Remote
from gateway.core.record import BodyRef, Event, EventKind, Message, QueueId, RecipientRow, State
from gateway.core.reply import Reply, Status
from gateway.core.tls import Evidence, Protection, Starttls
from gateway.flow.ports import SpoolError
from gateway.spool.body_keys import NO_KEYS, BodyKeys, KeyMissing
from gateway.spool.codec import (
    Unreadable,
    decode_event,
    decode_message,
    decode_row,
    encode_event,
    encode_message,
    encode_row,
    micros,
    moment,
)
from tests.fixtures.build import facts
from tests.spool.samples import START, event, inline, message, row

words = st.text(max_size=8)
times = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001  hypothesis wants the bounds without a zone
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
addresses = st.builds(Address, words, words)
statuses = st.builds(Status, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
lines = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9)
replies = st.builds(
    lambda status, texts: Reply(status.klass * 100 + 50, status, texts),
    statuses,
    st.lists(lines, min_size=1, max_size=3).map(tuple),
)
outside = st.dictionaries(
    st.tuples(st.sampled_from(Lookup), words), st.sampled_from(Starttls) | st.builds(Missing, words), max_size=3
)
st.register_type_strategy(Status, statuses)
st.register_type_strategy(Reply, replies)
st.register_type_strategy(Address, addresses)
st.register_type_strategy(datetime, times)
st.register_type_strategy(str, words)
st.register_type_strategy(
    BodyRef,
    st.builds(BodyRef, size=st.integers(0), sha256=words, inline=st.binary(max_size=9), path=st.none())
    | st.builds(BodyRef, size=st.integers(0), sha256=words, inline=st.none(), path=words.filter(bool)),
)


def whole(record: type, **given: st.SearchStrategy[object]) -> st.SearchStrategy[Any]:
    """Values of the record with every field drawn: hypothesis by itself leaves those with a default alone."""
    hints = get_type_hints(record)
    return st.builds(record, **{field.name: st.from_type(hints[field.name]) for field in fields(record)} | given)


FACTS = whole(Facts, outside=outside)
st.register_type_strategy(Facts, FACTS)
PARTS = (
    Client,
    Recipient,
    Envelope,
    Evidence,
    Remote,
    Delivered,
    Deferred,
    Declined,
    Failed,
    Routed,
    Held,
    Classification,
)
for part in PARTS:
    st.register_type_strategy(part, whole(part))


@settings(deadline=None)
@given(whole(Message))
def test_every_message_comes_back_as_it_was(given: Message) -> None:
    if given.body.inline is not None:
        given = replace(given, body=replace(given.body, size=len(given.body.inline)))
    queue_id, accepted_at, policy_hash, path, record, body = encode_message(given, NO_KEYS)
    assert decode_message(record, body, NO_KEYS) == given
    assert (queue_id, moment(accepted_at), policy_hash, path) == (
        given.queue_id,
        given.accepted_at,
        given.policy_hash,
        given.body.path,
    )


@settings(deadline=None)
@given(whole(RecipientRow))
def test_every_row_comes_back_as_it_was_with_its_type_of_decision_and_outcome(given: RecipientRow) -> None:
    record = encode_row("q", given)[-1]
    assert decode_row(record) == given
    assert type(decode_row(record).decision) is type(given.decision)
    assert type(decode_row(record).last) is type(given.last)


@settings(deadline=None)
@given(whole(Event))
def test_every_event_comes_back_as_it_was(given: Event) -> None:
    assert decode_event(encode_event(given)[-1]) == given


@given(times)
def test_times_in_columns_are_exact(at: datetime) -> None:
    assert moment(micros(at)) == at
    assert micros(at + timedelta(microseconds=1)) == micros(at) + 1


DECISIONS: list[Decision] = [
    Routed(rule="r", chain=(), floor=Protection.NONE, original_floor=Protection.SEALED, reason="", advice=""),
    Refused(rule="r", floor=Protection.NONE, reason="", advice=""),
    Held(rule="r", chain=(), floor=Protection.NONE, reason="", advice=""),
    Held(
        rule="r",
        chain=(),
        floor=Protection.NONE,
        reason="",
        advice="",
        lowered_from=Protection.SEALED,
        lowered_because="agreed",
        patience=timedelta(hours=4),
        without=("by tls",),
    ),
    Routed(
        rule="r",
        chain=(),
        floor=Protection.NONE,
        original_floor=Protection.SEALED,
        reason="",
        advice="",
        lowered_because="agreed",
        patience=timedelta(hours=4),
        without=("by tls",),
    ),
    Open(rule="r", missing=(), floor=Protection.NONE, reason="", advice=""),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: type(decision).__name__)
def test_no_decision_is_read_as_another(decision: Decision) -> None:
    told = Event(kind=EventKind.DECIDED, at=START, queue_id=QueueId("q"), decision=decision)
    assert decode_event(encode_event(told)[-1]).decision == decision


OUTCOMES = [Deferred, Declined, Failed, Delivered]


@settings(deadline=None)
@given(st.one_of(*(st.from_type(kind) for kind in OUTCOMES)))
def test_no_outcome_is_read_as_another(outcome: Outcome) -> None:
    told = Event(kind=EventKind.ATTEMPT, at=START, queue_id=QueueId("q"), outcome=outcome)
    assert decode_event(encode_event(told)[-1]).outcome == outcome


def test_the_columns_of_a_row_say_what_its_record_says() -> None:
    waiting = row(3, domain="one.example", state=State.HELD)
    assert encode_row("q", waiting)[:-1] == ("q", 3, "held", "one.example", "tls:one.example", micros(START))
    assert encode_row("q", row(state=State.SEALED))[5] is None


def test_the_columns_of_an_event_say_what_its_record_says() -> None:
    told = event(QueueId("q"))
    assert encode_event(told)[:-1] == (micros(START), "q", "<q@council.example>")


def test_the_null_path_stays_one() -> None:
    told = Event(kind=EventKind.ACCEPTED, at=START, queue_id=QueueId("q"), reverse_path=NullPath.NULL)
    assert decode_event(encode_event(told)[-1]).reverse_path is NullPath.NULL


def test_a_body_s_bytes_are_in_no_record() -> None:
    given = message(QueueId("q"), (row(),), inline(b"the secret"))
    encoded = encode_message(given, NO_KEYS)
    assert "secret" not in encoded[4]
    assert encoded[5] == b"the secret"
    assert decode_message(encoded[4], None, NO_KEYS).body == BodyRef(size=10, sha256=given.body.sha256, path="")


NAMED = Attachment(name="on Crabtree.zip", type="application/zip", bytes=7, members=("crabtree.txt",))
UNKNOWN = Label(source="header", raw="about Crabtree", level=None, result=LabelResult.NO_LABEL)
LEVEL = Label(source="header", raw="Controlled", level="controlled", result=LabelResult.LEVEL)


@pytest.mark.parametrize(
    ("attachments", "labels"),
    [((NAMED, Attachment(name="", type="a/b", bytes=1)), (LEVEL,)), ((), (LEVEL, UNKNOWN)), ((NAMED,), (UNKNOWN,))],
)
def test_the_senders_words_are_sealed_where_there_are_keys(
    attachments: tuple[Attachment, ...], labels: tuple[Label, ...]
) -> None:
    classified = replace(facts().classification, labels=labels)
    known = replace(facts(), attachments=attachments, classification=classified)
    given = replace(message(QueueId("q"), (row(),), inline(b"text")), facts=known)
    keys = BodyKeys([b"k" * 32])
    *_, record, body = encode_message(given, keys)
    assert "rabtree" not in record
    assert decode_message(record, body, keys) == given
    assert decode_message(record, None, NO_KEYS).facts == without_words(known)
    with pytest.raises(KeyMissing):
        decode_message(record, None, BodyKeys([b"o" * 32]))
    assert "rabtree" in encode_message(given, NO_KEYS)[4], "without keys: the search would find it"


@pytest.mark.parametrize("record", ["", "{", "{}", "[]", '{"event":{}}', '{"message":{},"outside":[]}'])
def test_a_damaged_record_is_unreadable_and_nothing_else(record: str) -> None:
    for decode in (decode_event, decode_row, lambda text: decode_message(text, None, NO_KEYS)):
        with pytest.raises(Unreadable):
            decode(record)


def test_a_row_without_one_of_its_parts_is_unreadable() -> None:
    record = json.loads(encode_row("q", row())[-1])
    for part in ("decision", "state", "deadline", "recipient"):
        with pytest.raises(Unreadable):
            decode_row(json.dumps({key: value for key, value in record.items() if key != part}))


def test_text_that_is_no_unicode_cannot_be_stored_and_says_so() -> None:
    with pytest.raises(SpoolError):
        encode_event(Event(kind=EventKind.ACCEPTED, at=START, queue_id=QueueId("q"), text="\udc80"))


def test_records_of_version_1_are_still_read() -> None:
    """Defaults are left out of records: should this fail, a default was changed, and that is a new version."""
    record = (
        '{"number":0,"recipient":{"address":{"local":"a","domain":"b.example"}},"decision":{"rule":"r","chain":["tls"],'
        '"floor":1,"original_floor":1,"reason":"c","advice":"d"},"state":"queued","entered_at":"2026-03-02T09:30:00Z",'
        '"deadline":"2026-03-02T09:30:00Z","expires_at":"2026-03-02T09:30:00Z","due_at":"2026-03-02T09:30:00Z"}'
    )
    read = decode_row(record)
    assert (read.route_index, read.next_hop, read.attempts, read.last) == (0, "", 0, None)
    assert (read.first_handshake_failure, read.delay_noticed, read.recipient.notify) == (None, False, frozenset())
    told = decode_event('{"event":{"kind":"ended","at":"2026-03-02T09:30:00Z","queue_id":"q"},"outside":[]}')
    assert told == Event(kind=EventKind.ENDED, at=START, queue_id=QueueId("q"))
