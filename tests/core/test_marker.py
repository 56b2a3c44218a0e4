from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import parse_address
from gateway.core.marker import FIELD, MOST, VALID_FOR, Marker, marker_edits, read_marker
from gateway.core.record import QueueId

KEY, ID = b"k" * 32, "<m@council.example>"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANNA, BOB = parse_address("anna@partner.example"), parse_address("bob@partner.example")
MARKER = Marker(queue_id=QueueId("000-abc.1_2"), route="encrypted", until=NOW + VALID_FOR, wrapped=False)


def values(*recipients: object, marker: Marker = MARKER, message_id: str = ID, key: bytes = KEY) -> list[bytes]:
    addresses = [parse_address(str(recipient)) for recipient in recipients]
    return [edit.value.encode() for edit in marker_edits(marker, message_id, addresses, key)]


def test_there_is_one_field_for_each_recipient_and_any_of_them_are_known_again() -> None:
    (first, second) = edits = list(marker_edits(MARKER, ID, (ANNA, BOB), KEY))
    assert {edit.name for edit in edits} == {FIELD} and first != second
    fields = [edit.value.encode() for edit in edits]
    both = read_marker(fields, ID, (BOB, ANNA), NOW, KEY)
    assert both is not None and both.marker == MARKER
    alone = read_marker(fields, ID, (ANNA,), NOW, KEY)
    assert alone is not None and alone.seals == (both.seals[1],) and set(both.seals) > set(alone.seals)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", fullmatch=True)


@given(NAMES, st.booleans(), st.integers(1, 10**10), st.text(max_size=60))
def test_any_marker_comes_back(route: str, wrapped: bool, seconds: int, message_id: str) -> None:
    until = datetime.fromtimestamp(seconds, UTC)
    marker = Marker(queue_id=QueueId("001-x"), route=route, until=until, wrapped=wrapped)
    found = read_marker(
        values(ANNA, marker=marker, message_id=message_id), message_id, (ANNA,), until - timedelta(seconds=1), KEY
    )
    assert found is not None and found.marker == marker


@pytest.mark.parametrize(
    "forged",
    [
        [],
        [b""],
        values(BOB),
        values(ANNA, message_id="<other@council.example>"),
        values(ANNA, key=b"x" * 32),
        [values(ANNA)[0].replace(b"encrypted", b"decrypted")],
        [values(ANNA)[0].replace(b"open", b"wrapped")],
        [values(ANNA)[0].replace(b"v1", b"v2")],
        [values(ANNA)[0][:-1]],
        [values(ANNA)[0] + b" "],
        [b"v1; 000-a; encrypted; 999999999999; open; " + b"0" * 64],
        [b"v1; 000-a; encrypted; \xff; open; " + b"0" * 64],
    ],
)
def test_what_is_not_ours_for_this_message_and_this_recipient_counts_for_nothing(forged: list[bytes]) -> None:
    assert read_marker(forged, ID, (ANNA,), NOW, KEY) is None
    assert read_marker([*forged, *values(ANNA)], ID, (ANNA,), NOW, KEY) is not None


def test_every_recipient_must_be_named_by_one_and_the_same_marker() -> None:
    other = values(BOB, marker=Marker(queue_id=QueueId("000-b"), route="r", until=MARKER.until, wrapped=False))
    assert read_marker([*values(ANNA), *other], ID, (ANNA, BOB), NOW, KEY) is None
    assert read_marker(values(ANNA), ID, (), NOW, KEY) is None


def test_it_is_good_until_its_time_and_not_longer() -> None:
    last = MARKER.until - timedelta(seconds=1)
    assert read_marker(values(ANNA), ID, (ANNA,), last, KEY) is not None
    assert read_marker(values(ANNA), ID, (ANNA,), MARKER.until, KEY) is None


def test_no_more_are_read_than_a_delivery_has() -> None:
    many = [parse_address(f"r{number}@partner.example") for number in range(MOST + 1)]
    fields = values(*many)
    assert read_marker(fields, ID, many[:MOST], NOW, KEY) is not None
    assert read_marker(fields, ID, many, NOW, KEY) is None
    assert read_marker(fields, ID, many[MOST:], NOW, KEY) is None
