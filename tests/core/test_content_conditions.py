"""Conditions on attached files, visible addresses, listener and time: at their limits, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from gateway.core.address import Address, parse_domain
from gateway.core.conditions import content
from gateway.core.conditions.base import look
from gateway.core.conditions.content import AttachmentCountIsOver, ListenerIs, TimeIs, VisibleOver
from gateway.core.decision import Truth
from gateway.core.domains import DomainSet, Group, parse_domains
from gateway.core.facts import Attachment, Facts
from tests.fixtures.build import facts

INSIDE = Group("the organisation", domains=parse_domains(["council.example"]))
FREE = parse_domains(["mail.example"])
TO = Address("a", "b.example")
FILE = Attachment(name="a", type="b/c", bytes=1)


def truth(condition: AttachmentCountIsOver | VisibleOver | ListenerIs | TimeIs, known: Facts) -> bool:
    found = condition.truth(look(known, TO))
    assert found is not Truth.UNKNOWN
    return found is Truth.MATCH


@pytest.mark.parametrize(("files", "matches", "why"), [(0, False, "no"), (2, False, "2"), (3, True, "3")])
def test_the_number_of_files_is_over_the_limit(files: int, matches: bool, why: str) -> None:
    condition, known = AttachmentCountIsOver(2), replace(facts(), attachments=(FILE,) * files)
    assert truth(condition, known) is matches
    over = "over" if matches else "not over"
    assert condition.why(look(known, TO)) == f"{why} files are attached, {over} 2"


def test_the_listener_is_one_of_those_named() -> None:
    condition = ListenerIs(frozenset({"printers", "apps"}))
    known = replace(facts(), listener="printers")
    assert truth(condition, known)
    assert condition.why(look(known, TO)) == "it came in by the listener printers"
    assert not truth(condition, replace(facts(), listener="smtp"))
    assert condition.why(look(replace(facts(), listener=""), TO)) == "it came in by the listener without a name"


def at(domain: str, count: int) -> tuple[str, ...]:
    return tuple(f"p{number}@{domain}" for number in range(count))


@pytest.mark.parametrize(
    ("visible", "more", "count"),
    [
        ((), 0, 0),
        (at("one.example", 9), 0, 0),
        (at("one.example", 9) + at("two.example", 3), 0, 3),
        (at("one.example", 9) + at("two.example", 4), 0, 4),
        (at("one.example", 2) + at("two.example", 2) + at("three.example", 2), 0, 4),
        (at("council.example", 9) + at("one.example", 2) + at("two.example", 2), 0, 2),
        (at("mail.example", 4), 0, 4),
        (at("mail.example", 9) + at("one.example", 2), 0, 9),
        (at("one.example", 3) + at("ONE.example", 3), 0, 0),
        (("a@one.example", "A@one.example", "a@ONE.EXAMPLE", "b@two.example"), 0, 1),
        (at("bücher.example", 3) + at("xn--bcher-kva.example", 5), 0, 0),
        (("a@not a domain", "b@not a domain", "c"), 0, 2),
        (at("one.example", 2), 5, 5),
        ((), 4, 4),
        (at("sub.council.example", 2) + at("one.example", 3), 0, 2),
    ],
)
def test_outside_addresses_that_see_each_other_are_counted(visible: tuple[str, ...], more: int, count: int) -> None:
    known = replace(facts(), visible=visible, visible_more=more)
    assert [truth(VisibleOver(limit, INSIDE, FREE), known) for limit in range(10)] == [count > n for n in range(10)]
    over = "over" if count > 3 else "not over"
    said = f"{count} outside addresses of several organisations are visible in To and Cc, {over} 3"
    assert VisibleOver(3, INSIDE, FREE).why(look(known, TO)) == said


def test_the_addresses_of_a_message_are_counted_once_for_all_its_recipients(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(text: str) -> str:
        read.append(text)
        return parse_domain(text)

    monkeypatch.setattr(content, "parse_domain", reading)
    known = replace(facts(), visible=at("one.example", 4) + at("counted.example", 3))
    condition, other = VisibleOver(2, INSIDE, FREE), VisibleOver(2, INSIDE, parse_domains(["one.example"]))
    for number in range(50):
        seen = look(known, Address(f"a{number}", "b.example"))
        assert condition.truth(seen) is Truth.MATCH
        assert condition.why(seen).startswith("3 outside addresses")
        assert other.why(seen).startswith("4 outside addresses")
    assert len(read) == 2 * 7


def test_without_a_list_of_free_mail_the_largest_domain_of_all_is_left_aside() -> None:
    known = replace(facts(), visible=at("mail.example", 4))
    assert not truth(VisibleOver(1, INSIDE, DomainSet()), known)
    assert truth(VisibleOver(1, INSIDE, FREE), known)


# 18 May 2026 is a Monday; London is an hour ahead of UTC then.
LONDON = ZoneInfo("Europe/London")
WEEK = frozenset(range(5))


@pytest.mark.parametrize(
    ("begin", "end", "days", "day", "hour", "minute", "matches"),
    [
        (8, 18, WEEK, 18, 6, 59, False),
        (8, 18, WEEK, 18, 7, 0, True),
        (8, 18, WEEK, 18, 16, 59, True),
        (8, 18, WEEK, 18, 17, 0, False),
        (8, 18, WEEK, 17, 9, 0, False),
        (8, 18, frozenset({6}), 17, 9, 0, True),
        # Half past midnight in London is still the day before by UTC.
        (0, 8, frozenset({0}), 17, 23, 30, True),
        (0, 8, frozenset({6}), 17, 23, 30, False),
        # Friday night lasts into Saturday, and Sunday's into Monday is not a working night.
        (22, 6, WEEK, 22, 21, 0, True),
        (22, 6, WEEK, 23, 4, 59, True),
        (22, 6, WEEK, 23, 5, 0, False),
        (22, 6, WEEK, 23, 21, 0, False),
        (22, 6, WEEK, 18, 4, 0, False),
    ],
)
def test_the_time_is_the_zones(
    begin: int, end: int, days: frozenset[int], day: int, hour: int, minute: int, matches: bool
) -> None:
    condition = TimeIs(time(begin), time(end), days, LONDON)
    known = replace(facts(), at=datetime(2026, 5, day, hour, minute, tzinfo=UTC))
    assert truth(condition, known) is matches
    assert ("not within" in condition.why(look(known, TO))) is not matches


def test_the_reason_names_the_local_time_and_the_window() -> None:
    seen = look(replace(facts(), at=datetime(2026, 5, 18, 7, 5, tzinfo=UTC)), TO)
    assert (
        TimeIs(time(8), time(18), frozenset({0, 4}), LONDON).why(seen)
        == "it is mon 08:05, within 08:00 to 18:00 on mon, fri"
    )
    assert (
        TimeIs(time(9), time(18), frozenset(range(7)), LONDON).why(seen) == "it is mon 08:05, not within 09:00 to 18:00"
    )


def test_a_window_has_a_length() -> None:
    with pytest.raises(ValueError, match="never, or always"):
        TimeIs(time(8), time(8), WEEK, LONDON)
