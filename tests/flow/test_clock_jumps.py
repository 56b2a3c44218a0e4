"""The machine's clock is set by days while mail waits or is under way: nothing is lost, and nothing is sent twice."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gateway.core.outcome import Cause
from gateway.core.record import State
from gateway.flow.dispatch import LINGERS
from gateway.flow.options import QueueOptions
from tests.fakes.carrying import DELIVERED, deferred
from tests.fakes.clock import START, SteppedClock, settle
from tests.flow.gate import HOUR, Gate

DAY = timedelta(days=1)
NAP = timedelta(minutes=1)
"""As the machine's clock looks again at least this often."""


class SetClock(SteppedClock):
    """``set_by`` is what somebody has set it by; time passes all the same."""

    set_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.set_by

    async def sleep_until(self, when: datetime) -> None:
        end = super().now() + (when - self.now())
        while (left := when - self.now()) > timedelta() and super().now() < end:
            await super().sleep_until(super().now() + min(left, NAP))


@pytest.mark.parametrize("by", [3 * DAY, -3 * DAY])
async def test_a_delivery_under_way_is_not_begun_again(by: timedelta) -> None:
    clock = SetClock()
    gate = Gate(clock=clock)
    held = gate.transports["tls"].gate = asyncio.Event()
    async with gate.running():
        await gate.hand_over("gp@tls.example")
        await settle()
        clock.set_by = by
        gate.dispatch.wake()
        await clock.advance(HOUR)
        clock.set_by = timedelta()
        gate.dispatch.wake()
        await clock.advance(HOUR)
        held.set()
        await settle()
        assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
    assert gate.transports["tls"].carried == ["gp@tls.example"]
    assert gate.heard.alerts == []


async def test_hosts_that_say_nothing_give_up_their_places_though_the_clock_is_set_back() -> None:
    clock = SetClock()
    gate = Gate(clock=clock, queue=QueueOptions(per_destination=2, in_flight=2))
    transport = gate.transports["tls"]
    transport.gate, transport.silent = asyncio.Event(), frozenset({"silent0.example", "silent1.example"})
    async with gate.running():
        await gate.hand_over("a@silent0.example")
        await gate.hand_over("a@silent1.example")
        await settle()
        clock.set_by = -HOUR
        await gate.hand_over("a@alive.example")
        await clock.advance(2 * LINGERS)
        assert "a@alive.example" in transport.carried
        transport.gate.set()


async def test_what_waits_when_the_clock_is_set_ahead_goes_at_once_and_once() -> None:
    clock = SetClock()
    gate = Gate(clock=clock)
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.REPLY_4XX) if now == START else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("gp@tls.example")
        await settle()
        clock.set_by = DAY
        await clock.advance(NAP)
        assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
    assert gate.transports["tls"].carried == ["gp@tls.example"] * 2


async def test_new_mail_goes_at_once_when_the_clock_is_set_back_and_what_waits_goes_at_its_time() -> None:
    clock = SetClock()
    gate = Gate(clock=clock)
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.REPLY_4XX) if now == START else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("old@tls.example")
        await settle()
        clock.set_by = -DAY
        await clock.advance(HOUR)
        await gate.hand_over("new@tls.example")
        await settle()
        assert await gate.ends() == {"new@tls.example": State.DELIVERED}
        await clock.advance(DAY)
        assert (await gate.ends())["old@tls.example"] is State.DELIVERED
    assert gate.transports["tls"].carried == ["old@tls.example", "new@tls.example", "old@tls.example"]
