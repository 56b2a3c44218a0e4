"""Readers who opened nothing are reminded once, near the end; what is over for a week is erased."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.record import Entry, Kind
from gateway.core.sealed import Access, Happening, PackageId
from gateway.flow.leased import LEASE
from gateway.flow.ports import SealedStoreError, SpoolFull
from gateway.flow.sealed_care import ERASED_AFTER, SealedCare
from tests.fakes.clock import START, settle
from tests.flow.gate import Gate
from tests.flow.sealing import letters, sealing_gate, store_of, text

ANN, BOB = "ann@one.example", "bob@two.example"
DAY = timedelta(days=1)


async def sealed(*recipients: str) -> Gate:
    """A gate whose store holds one package for them, notified already."""
    gate = sealing_gate()
    async with gate.running():
        await gate.hand_over(*recipients)
        await settle()
    gate.heard.accepted_rows.clear()
    gate.restart()
    return gate


def care_of(gate: Gate) -> SealedCare:
    return SealedCare(gate.spool, gate.shared, gate.dispatch.committed)


def reminded(gate: Gate) -> list[int | None]:
    """The numbers of those of whom the store knows that they were reminded."""
    assert all(what is Happening.REMINDED for _, _, what in store_of(gate).notes)
    return [number for _, number, _ in store_of(gate).notes]


async def test_each_is_reminded_once_and_only_near_the_end() -> None:
    gate = await sealed(ANN, BOB)
    care = care_of(gate)
    await gate.clock.advance(24 * DAY)
    await care.look()
    assert gate.heard.accepted_rows == []
    await gate.clock.advance(1 * DAY + timedelta(minutes=1))
    async with gate.running():
        await care.look()
        await care.look()
        await settle()
    ann, bob = letters(gate)
    assert (ann["To"], bob["To"]) == (ANN, BOB) and ann["Subject"].startswith("Not opened yet")
    assert "/m/token-package-1-0\n" in text(ann) and "bob" not in str(ann)
    assert reminded(gate) == [0, 1]
    for message, (row,) in gate.heard.accepted_rows:
        assert (message.kind, message.origin) == (Kind.NOTIFICATION, None)
        assert row.expires_at == START + 28 * DAY


async def test_what_lies_there_for_a_short_time_is_not_reminded_of_at_once() -> None:
    gate = await sealed(ANN)
    readers = store_of(gate).packages[PackageId("package-1")]
    readers[0] = replace(readers[0], expires_at=START + 2 * DAY)
    care = care_of(gate)
    await gate.clock.advance(1 * DAY - timedelta(minutes=1))
    await care.look()
    assert reminded(gate) == []
    await gate.clock.advance(timedelta(minutes=1))
    await care.look()
    assert reminded(gate) == [0]


async def test_one_that_fails_stops_no_other_and_one_that_is_gone_needs_none() -> None:
    gate = await sealed(ANN, BOB)
    store = store_of(gate)
    inner, readers = store.secrets, store.packages[PackageId("package-1")]
    await gate.clock.advance(26 * DAY)
    asked: list[PackageId] = []

    async def secrets(package: PackageId) -> object:
        asked.append(package)
        if len(asked) == 1:
            raise SealedStoreError("gone")
        return await inner(package)

    store.secrets = secrets  # pyright: ignore[reportAttributeAccessIssue]
    care = care_of(gate)
    await care.look()
    assert reminded(gate) == [1] and [where for where, _, _ in gate.heard.faults] == ["sealed care"]
    readers[0] = replace(readers[0], access=Access.ERASED)
    await care.look()
    assert reminded(gate) == [1] and len(asked) == 3


async def test_a_crash_before_the_store_hears_of_it_reminds_twice() -> None:
    gate = await sealed(ANN)
    store, inner = store_of(gate), store_of(gate).note
    await gate.clock.advance(26 * DAY)

    async def dies(package: PackageId, number: int | None, what: Happening, now: datetime) -> None:
        raise SealedStoreError("gone")

    store.note = dies  # pyright: ignore[reportAttributeAccessIssue]
    care = care_of(gate)
    await care.look()
    store.note = inner
    await care.look()
    assert len(gate.heard.accepted_rows) == 2 and reminded(gate) == [0]


async def test_without_room_nothing_is_noted() -> None:
    gate = await sealed(ANN, BOB)
    await gate.clock.advance(26 * DAY)
    gate.spool.refuse = SpoolFull("no room")
    with pytest.raises(SpoolFull):
        await care_of(gate).look()
    assert reminded(gate) == [] and gate.heard.faults == []


async def test_what_is_over_for_a_week_is_swept_by_one_process() -> None:
    gate = await sealed(ANN)
    first, second = care_of(gate), care_of(gate)
    await first.look()
    await second.look()
    assert store_of(gate).sweeps == [(START, START - ERASED_AFTER)]
    await gate.clock.advance(LEASE)
    await second.look()
    assert len(store_of(gate).sweeps) == 2


async def test_without_a_portal_there_is_only_the_sweeping_and_without_a_store_nothing() -> None:
    gate = await sealed(ANN)
    await gate.clock.advance(26 * DAY)
    gate.shared = replace(gate.shared, portal=None)
    await care_of(gate).look()
    assert len(store_of(gate).sweeps) == 1 and reminded(gate) == []
    heard: list[Entry] = []

    def committed(entries: Sequence[Entry]) -> None:
        heard.extend(entries)

    without = Gate()
    await SealedCare(without.spool, without.shared, committed).look()
    assert heard == []
