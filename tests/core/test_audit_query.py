"""Which messages a question means, how they are counted without names, and what a breach report says of one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.audit_counts import Group, counts
from gateway.core.audit_query import By, Chosen, Criterion, Entry, Query, names
from gateway.core.audit_record import Persons, Record
from gateway.core.breach import breach_of

AT = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
AMY, BO, EVE = "amy@one.example", "bo@two.example", "eve@three.example"


def entry(
    kind: str, *, after: int = 0, queue_id: str = "000-a", persons: Persons | None = None, **record: object
) -> Entry:
    at = (AT + timedelta(minutes=after)).isoformat()
    told = replace(Record(kind=kind, at=at, queue_id=queue_id), **record)
    return Entry(shard=0, seq=after, record=told, persons=persons or Persons())


ACCEPTED = entry(
    "accepted",
    persons=Persons(sender=EVE, author=f"Eve <{EVE}>", message_id="<1@three.example>", reference="F 12"),
    level="restricted",
    level_source="subject",
    files=2,
    bytes=99,
    policy="p1",
)
DECIDED = entry(
    "decided",
    after=1,
    persons=Persons(recipient=AMY),
    number=0,
    rule="Clients",
    decision="route",
    floor="encrypted",
    routes=("secure", "portal"),
)
TRIED = entry("attempt", after=2, persons=Persons(recipient=AMY), number=0, route="secure", outcome="deferred")
SENT = entry(
    "attempt",
    after=70,
    persons=Persons(recipient=AMY),
    number=0,
    route="secure",
    outcome="delivered",
    grade="dane",
    host="mx.one.example",
    tls="TLSv1.3",
    cipher="C",
    certificate="d1",
)
ENDED = entry("ended", after=70, persons=Persons(recipient=AMY), number=0, route="secure", end="delivered")
STORY = (ACCEPTED, DECIDED, TRIED, SENT, ENDED)


def chosen(query: Query, *entries: Entry) -> tuple[str, ...]:
    found = Chosen(query)
    for each in entries:
        found.look(each)
    return found.queue_ids


@pytest.mark.parametrize(
    ("by", "value", "meant"),
    [
        (By.SENDER, "EVE@three.example", True),
        (By.SENDER, "@three.example", True),
        (By.SENDER, "@ee.example", False),
        (By.SENDER, AMY, False),
        (By.RECIPIENT, AMY, True),
        (By.RECIPIENT, "my@one.example", False),
        (By.RECIPIENT, "@one.example", True),
        (By.RECIPIENT, EVE, False),
        (By.PERSON, AMY, True),
        (By.PERSON, EVE, True),
        (By.PERSON, BO, False),
        (By.MESSAGE_ID, "1@three.example", True),
        (By.MESSAGE_ID, "<1@three.example>", True),
        (By.MESSAGE_ID, "1@three", False),
        (By.QUEUE_ID, "000-a", True),
        (By.QUEUE_ID, "000-", False),
        (By.REFERENCE, "f 12", True),
        (By.REFERENCE, "F", False),
        (By.RULE, "clients", True),
        (By.RULE, "client", False),
    ],
)
def test_one_criterion_is_met_by_any_event_of_the_message(by: By, value: str, meant: bool) -> None:
    other = entry("accepted", queue_id="000-b", persons=Persons(sender="z@z.example"))
    found = chosen(Query(criteria=(Criterion(by, value),)), other, *STORY)
    assert found == (("000-a",) if meant else ())


def test_what_meets_one_criterion_is_begun() -> None:
    found = Chosen(Query(criteria=(Criterion(By.SENDER, EVE), Criterion(By.RULE, "no such"))))
    found.look(ACCEPTED)
    assert (found.begun, found.queue_ids) == ({"000-a"}, ())


def test_all_criteria_hold_of_one_message_though_no_event_meets_them_all() -> None:
    both = (Criterion(By.SENDER, EVE), Criterion(By.RECIPIENT, AMY))
    assert chosen(Query(criteria=both), *STORY) == ("000-a",)
    apart = entry("decided", queue_id="000-b", persons=Persons(recipient=AMY))
    assert chosen(Query(criteria=both), ACCEPTED, apart) == ()


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [(None, 0, False), (0, 1, True), (70, None, True), (71, None, False), (3, 70, False), (3, 71, True)],
)
def test_something_of_it_happened_in_that_time(since: int | None, until: int | None, meant: bool) -> None:
    def when(minutes: int | None) -> datetime | None:
        return None if minutes is None else AT + timedelta(minutes=minutes)

    query = Query(criteria=(Criterion(By.SENDER, EVE),), since=when(since), until=when(until))
    assert query.timed
    assert chosen(query, *STORY) == (("000-a",) if meant else ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bo@two.example", True),
        ("<BO@two.example>", True),
        ("to Bo (bo@two.example), it said", True),
        ("bo@two.example: no such user", True),
        ("jumbo@two.example, then bo@two.example", True),
        ("jumbo@two.example", False),
        ("bo@two.example.net", True),
        ("bo@two.examples", False),
        ("bo@two-example", False),
        ("", False),
    ],
)
def test_an_address_is_found_whole(text: str, found: bool) -> None:
    # A full stop may end a sentence: rather one host too many than one person left in.
    assert names(BO, text) is found


def test_recipients_are_counted_once_in_the_month_of_their_end() -> None:
    again = [replace(each, record=replace(each.record, queue_id="000-b")) for each in STORY]
    refused = entry("ended", after=5, number=1, end="refused in session")
    waits = entry("decided", after=80, number=2, rule="Clients")
    sent = Group("2026-04", "restricted", "Clients", "route", "secure", "dane", "delivered")
    assert counts([*STORY[:2], refused, *STORY[2:], *again, waits]) == (
        (Group("2026-03", "restricted", end="refused in session"), 1),
        (sent, 2),
    )


def test_no_count_names_anybody() -> None:
    told = repr(counts(STORY))
    assert not any(name in told for name in (AMY, EVE, "three.example", "000-a", "F 12"))


def test_a_breach_report_says_how_each_copy_travelled() -> None:
    held = entry("decided", after=1, persons=Persons(recipient=BO), number=1, rule="Look-alike", decision="hold")
    gone = entry("ended", after=9, persons=Persons(recipient=BO), number=1, end="deleted")
    waits = entry("decided", after=1, persons=Persons(recipient=EVE), number=2, rule="Clients")
    breach = breach_of((*STORY, held, gone, waits))
    assert (breach.sender, breach.message_id, breach.level, breach.level_source, breach.files, breach.policy) == (
        EVE,
        "<1@three.example>",
        "restricted",
        "subject",
        2,
        "p1",
    )
    amy, bo, eve = breach.recipients
    assert (amy.address, amy.attempts, amy.grade, amy.tls, amy.certificate) == (AMY, 2, "dane", "TLSv1.3", "d1")
    assert amy.left_at == amy.ended_at == SENT.record.at
    assert amy.protection == "dane: encrypted, certificate and host named by signed DNS"
    assert (bo.rule, bo.decision, bo.end, bo.protection) == ("Look-alike", "hold", "deleted", "it did not leave")
    assert (eve.end, eve.protection) == ("", "nothing is recorded of its leaving")
    assert len(breach.timeline) == 8


def test_a_sealed_copy_has_its_own_grade() -> None:
    sealed = entry("attempt", after=3, number=0, route="portal", outcome="sealed", grade="sealed, passphrase")
    assert breach_of((ACCEPTED, sealed)).recipients[0].protection == "sealed, passphrase"


def test_a_message_whose_beginning_is_gone_is_told_as_far_as_it_is_known() -> None:
    breach = breach_of(STORY[1:])
    assert (breach.queue_id, breach.sender, breach.recipients[0].end) == ("000-a", "", "delivered")
