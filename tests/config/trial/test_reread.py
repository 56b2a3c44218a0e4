"""Facts of the audit under another policy's way of reading."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.config.trial.reread import Reader, reread
from gateway.core.defaults import Default
from gateway.core.facts import Classification, Facts, Intent, Label, LabelResult
from gateway.core.labels import HeaderSource, LabelSource, SubjectSource
from gateway.core.reading import Reading
from gateway.core.registers.systems import System
from tests.fixtures.build import facts

LEVELS = ("public", "controlled", "restricted")
HEADER = HeaderSource("X-Class", {"open": "public", "secret": "restricted"})
SUBJECT = SubjectSource({"[R]": "restricted"})


def reader(*sources: LabelSource, default: str = "controlled", systems: tuple[System, ...] = ()) -> Reader:
    return Reader(Reading(levels=LEVELS, default=default, sources=sources or (HEADER, SUBJECT)), systems)


def found(level: str, source: str, *labels: Label) -> Facts:
    return replace(facts(), classification=Classification(level=level, source=source, labels=labels), listener="desk")


def label(
    raw: str, level: str | None, result: LabelResult = LabelResult.LEVEL, source: str = "header X-Class"
) -> Label:
    return Label(source=source, raw=raw, result=result, level=level)


OPEN = found("public", "header X-Class", label("open", "public"))
BARE = found("controlled", "default")
MARK = label("[R]", "restricted", source="subject")


def level(facts: Facts, now: Reader, then: Reader | None = None) -> str | None:
    again = reread(facts, then or reader(), now)
    return None if again is None else again.classification.level


def test_the_same_way_of_reading_changes_nothing() -> None:
    assert reread(OPEN, reader(), reader()) is OPEN


def test_a_way_of_reading_that_nobody_knows_any_more_tells_nothing() -> None:
    assert reread(OPEN, None, reader()) is None


def test_a_new_default_holds_only_where_no_label_was() -> None:
    now = reader(default="restricted")
    assert (level(BARE, now), level(OPEN, now)) == ("restricted", "public")


def test_a_headers_value_can_come_to_mean_another_level() -> None:
    now = reader(HeaderSource("X-Class", {"open": "controlled", "secret": "restricted"}), SUBJECT)
    assert level(OPEN, now) == "controlled"
    # What another source said still counts.
    assert level(found("restricted", "subject", label("open", "public"), MARK), now) == "restricted"


def test_a_value_that_is_dropped_is_garbled_and_one_that_is_added_is_read() -> None:
    fewer = reader(HeaderSource("X-Class", {"open": "public"}), SUBJECT)
    assert level(found("restricted", "header X-Class", label("secret", "restricted")), fewer) == "restricted"
    more = reader(HeaderSource("X-Class", {"open": "public", "other": "controlled"}), SUBJECT)
    unread = found("restricted", "garbled: header X-Class", label("other", None, LabelResult.GARBLED))
    assert level(unread, more) == "controlled"
    assert level(unread, reader(default="public")) == "restricted"


@pytest.mark.parametrize(
    "text",
    [
        label("", None, LabelResult.GARBLED),  # The audit leaves out the words of a label that names no level.
        label("", None, LabelResult.NO_LABEL),
        label("o" * 100, None, LabelResult.GARBLED),  # Cut when it was recorded.
    ],
)
def test_a_text_that_was_not_kept_tells_nothing(text: Label) -> None:
    now = reader(HeaderSource("X-Class", {"open": "controlled"}), SUBJECT)
    assert level(found("restricted", "garbled: header X-Class", text), now) is None


@pytest.mark.parametrize(
    "sources",
    [
        (HEADER, SubjectSource({"[R]": "restricted", "[C]": "controlled"})),
        (HEADER, SUBJECT, HeaderSource("Sensitivity", {"private": "restricted"})),
        (HeaderSource("X-Other", {"open": "public"}), SUBJECT),
        (HEADER,),
    ],
)
def test_another_source_could_have_seen_something_else(sources: tuple[LabelSource, ...]) -> None:
    assert level(BARE, reader(*sources)) is None


def test_other_buttons_or_levels_tell_nothing() -> None:
    base = reader().reading
    marks = replace(base, intent_marks={"[S]": Intent.SECURE})
    assert level(BARE, Reader(marks, ())) is None
    levels = replace(base, levels=(*LEVELS, "secret"))
    assert level(BARE, Reader(levels, ())) is None


def test_a_malformed_header_stays_the_highest_level() -> None:
    malformed = found("restricted", "garbled: malformed header", label("open", "public"))
    assert level(malformed, reader(default="public")) == "restricted"


def test_defaults_by_listener_and_sender_are_known_but_a_network_is_not() -> None:
    now = reader()
    listener = replace(now.reading, defaults=(Default(level="public", listener="desk"),))
    other = replace(now.reading, defaults=(Default(level="public", listener="printers"),))
    network = replace(now.reading, defaults=(Default(level="public", network=ip_network("10.0.0.0/8")),))
    assert [level(BARE, Reader(each, ())) for each in (listener, other, network)] == ["public", "controlled", None]
    assert level(OPEN, Reader(network, ())) == "public"


def test_a_system_gives_its_level_unless_it_is_known_by_its_network() -> None:
    named = System(name="scanner", level="restricted", sender="council.example")
    assert level(BARE, reader(systems=(named,))) == "restricted"
    netted = replace(named, networks=(ip_network("10.0.0.0/8"),))
    assert level(BARE, reader(systems=(netted,))) is None
