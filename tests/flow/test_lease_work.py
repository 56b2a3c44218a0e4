"""A lease whose settlement finds no room: what was delivered is neither forgotten nor delivered again."""

import asyncio
from datetime import timedelta

from gateway.core.record import EventKind, State
from gateway.flow.lease_work import ROOM_EVERY
from gateway.flow.ports import SpoolFull
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
