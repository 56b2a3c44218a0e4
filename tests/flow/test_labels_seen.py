"""Label values that the policy does not name, as they were seen lately."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Label, LabelResult
from gateway.flow import labels_seen
from gateway.flow.labels_seen import KEPT, PREFIX, LabelsSeen, SeenLabel, labels_of
from gateway.flow.ports import SpoolError
from tests.fakes.clock import START, SteppedClock
from tests.fakes.state import MemoryState
from tests.flow.gate import Gate, with_fields


def garbled(raw: str, source: str = "header X-Classification") -> Label:
    return Label(source=source, raw=raw, result=LabelResult.GARBLED, level=None)


async def stored(state: MemoryState) -> Mapping[tuple[str, str], int]:
    found = labels_of((await state.items(PREFIX, 1000)).values())
    return {(seen.source, seen.value): seen.count for seen in found}


async def test_values_are_counted_over_all_workers_and_only_garbled_ones() -> None:
    state = MemoryState(SteppedClock())
    one, other = LabelsSeen(state), LabelsSeen(state)
    fine = Label(source="header X-Classification", raw="public", result=LabelResult.LEVEL, level="public")
    one.note([garbled("Secret"), garbled("Secret"), fine])
    other.note([garbled("Secret"), garbled("Secret", "header Sensitivity"), garbled("x" * 100), garbled("y z y z")])
    await one.write(START)
    await other.write(START + timedelta(days=1))
    await one.write(START + timedelta(days=2))
    assert await stored(state) == {
        ("header X-Classification", "Secret"): 3,
        ("header Sensitivity", "Secret"): 1,
        ("header X-Classification", "x" * 40): 1,
        ("header X-Classification", "y z y z"): 1,
    }
    first = labels_of((await state.items(PREFIX, 10)).values())[0]
    assert first == SeenLabel(
        source="header X-Classification", value="Secret", count=3, last=(START + timedelta(days=1)).date()
    )


@pytest.mark.parametrize("raw", ["", "Anna Smith, NHS number 943", "Secret\ufffd", "one two three four five"])
async def test_what_does_not_look_like_a_label_is_counted_and_not_repeated(raw: str) -> None:
    state = MemoryState(SteppedClock())
    seen = LabelsSeen(state)
    seen.note([garbled(raw), garbled(f"{raw} and some more words behind")])
    await seen.write(START)
    assert await stored(state) == {("header X-Classification", "(other)"): 2}


@given(st.binary())
def test_whatever_bytes_are_stored_can_be_read(value: bytes) -> None:
    assert len(labels_of([value])) <= 1


async def test_they_are_forgotten_after_30_days() -> None:
    clock = SteppedClock()
    state = MemoryState(clock)
    seen = LabelsSeen(state)
    seen.note([garbled("Secret")])
    await seen.write(clock.now())
    await clock.advance(KEPT - timedelta(seconds=1))
    assert len(await stored(state)) == 1
    await clock.advance(timedelta(seconds=1))
    assert await stored(state) == {}


async def test_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels_seen, "MOST", 3)
    state = MemoryState(SteppedClock())
    seen = LabelsSeen(state)
    seen.note([garbled("a"), garbled("b")])
    await seen.write(START)
    seen.note([garbled(letter) for letter in "cdefa"])
    await seen.write(START)
    assert {value for _, value in await stored(state)} == {"a", "b", "c"}
    seen.note([garbled("a")])
    await seen.write(START)
    assert (await stored(state))["header X-Classification", "a"] == 2


async def test_a_failing_memory_is_said_and_what_is_damaged_is_counted_anew() -> None:
    state = MemoryState(SteppedClock())
    seen = LabelsSeen(state)
    seen.note([garbled("Secret")])
    await seen.write(START)
    [key] = await state.items(PREFIX, 10)
    await state.put(key, b"damaged", START + KEPT)
    assert labels_of([b"damaged"]) == ()
    seen.note([garbled("Secret")])
    await seen.write(START)
    assert await stored(state) == {("header X-Classification", "Secret"): 1}
    state.failing = True
    seen.note([garbled("Secret")])
    with pytest.raises(SpoolError):
        await seen.write(START)
    state.failing = False
    await seen.write(START)
    assert await stored(state) == {("header X-Classification", "Secret"): 1}


async def test_the_most_frequent_come_first() -> None:
    values = [(b"b", 1), (b"a", 1), (b"c", 2)]
    found = labels_of(
        b'{"source":"s","value":"%s","count":%d,"last":"2026-03-02"}' % (value, count) for value, count in values
    )
    assert [seen.value for seen in found] == ["c", "a", "b"]
    assert found[0].last == date(2026, 3, 2)


async def test_accepted_mail_is_looked_at() -> None:
    gate = Gate()
    await gate.hand_over("a@tls.example", message=with_fields(b"X-Classification: Sekret"))
    await gate.hand_over("a@tls.example", message=with_fields(b"X-Classification: public"))
    await gate.shared.history.write()
    assert await stored(gate.state) == {("header X-Classification", "Sekret"): 1}
