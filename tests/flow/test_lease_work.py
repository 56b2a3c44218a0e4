"""What was delivered is neither forgotten nor delivered again: without room to settle it, nor by faults behind that."""

import asyncio
from datetime import timedelta

import pytest

from gateway.core.record import EventKind, Kind, State
from gateway.flow.lease_work import ROOM_EVERY
from gateway.flow.ports import SpoolFull
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER
from tests.fakes.clock import settle
from tests.flow.gate import Gate


async def test_a_delivery_that_cannot_be_recorded_for_want_of_room_is_recorded_later_and_not_repeated() -> None:
    gate = Gate()
    async with gate.running():
        gate.transports["tls"].gate = asyncio.Event()
        await gate.hand_over("a@one.example")
        await settle()
        gate.spool.refuse = SpoolFull("no room")
        gate.transports["tls"].gate.set()
        await gate.clock.advance(timedelta(hours=2))
        assert [fault[0] for fault in gate.heard.faults] == ["settle"]
        assert await gate.audit(EventKind.ATTEMPT) == []
        gate.spool.refuse = None
        await gate.clock.advance(ROOM_EVERY)
        assert await gate.ends() == {"a@one.example": State.DELIVERED}
        await gate.clock.advance(timedelta(hours=2))
    assert gate.transports["tls"].carried == ["a@one.example"]


@pytest.mark.parametrize(
    "target",
    [
        "tests.fakes.events.Heard.attempted",
        "tests.fakes.events.Heard.ended",
        "gateway.flow.history.History.settled",
        "gateway.flow.notifications.Notifications.unreportable",
    ],
)
async def test_what_fails_behind_the_settlement_leaves_it_and_the_rest_as_they_are(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER if target.number == 0 else DELIVERED
    fault = ValueError("a bug")

    def broken(*_: object) -> None:
        raise fault

    async with gate.running():
        await gate.hand_over("bad@one.example", "good@one.example")
        # What acceptance does with the same functions is not looked at here.
        gate.heard.accepted_rows.clear()
        monkeypatch.setattr(target, broken)
        await settle()
        monkeypatch.undo()
        assert await gate.ends() == {"bad@one.example": State.REPORTED, "good@one.example": State.DELIVERED}
        await gate.clock.advance(timedelta(hours=2))
    assert {(where, error) for where, _, error in gate.heard.faults} == {("settled", fault)}
    assert gate.transports["tls"].carried == ["bad@one.example", "good@one.example"]
    assert [message.kind for message, _ in gate.heard.accepted_rows] == [Kind.REPORT], "the rest is heard of"
    assert len(gate.reports()) == 1
    assert gate.traffic.blocked(gate.clock.now()) == frozenset()
