"""Stories over hours: what becomes of a recipient when its next hop is not as it should be (scenarios S2 and S3)."""

from datetime import timedelta
from itertools import pairwise

from gateway.core.outcome import Cause
from gateway.core.record import EventKind, State
from tests.fakes.carrying import DELIVERED, NO_STARTTLS, UNKNOWN_USER, deferred
from tests.fakes.clock import START, settle
from tests.flow.gate import HOUR, Gate


async def test_delivered_message_is_delivered_once_and_ends() -> None:
    gate = Gate()
    async with gate.running():
        reply = await gate.hand_over("gp@tls.example")
        await settle()
        assert str(reply).startswith("250 2.0.0 queued as 000-")
        assert gate.transports["tls"].carried == ["gp@tls.example"]
        assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
        await gate.clock.advance(100 * HOUR)
        assert gate.transports["tls"].carried == ["gp@tls.example"]
    assert gate.heard.faults == []


async def test_protection_that_never_comes_moves_on_at_48_hours_with_a_notice_at_one_hour() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.PROTECTION)
    async with gate.running():
        await gate.hand_over("gp@tls.example")
        await gate.clock.advance(HOUR - timedelta(seconds=1))
        assert gate.reports() == []
        await gate.clock.advance(timedelta(seconds=1))
        assert [at for at, _ in gate.reports()] == [START + HOUR]
        assert b"Action: delayed" in gate.reports()[0][1]
        await gate.clock.advance(47 * HOUR - timedelta(seconds=1))
        assert gate.transports["encrypted"].carried == []
        await gate.clock.advance(timedelta(seconds=1))
        assert gate.transports["encrypted"].carried == ["gp@tls.example"]
        assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
        assert gate.heard.moves == [("gp@tls.example", "tls", "encrypted")]
        _, moved = gate.reports()
        assert b"Sent another way" in moved[1]
    assert gate.heard.faults == []


async def test_next_hop_repaired_at_47_hours_gets_the_message_and_nobody_hears_of_a_failure() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        DELIVERED if now >= START + 47 * HOUR else deferred(Cause.PROTECTION)
    )
    async with gate.running():
        await gate.hand_over("gp@tls.example")
        await gate.clock.advance(72 * HOUR)
        assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
        assert gate.transports["encrypted"].carried == []
        assert [b"Action: delayed" in report for _, report in gate.reports()] == [True]


async def test_deadline_with_another_cause_gives_the_message_back_with_that_cause() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over("gp@tls.example")
        await gate.clock.advance(49 * HOUR)
        assert await gate.ends() == {"gp@tls.example": State.REPORTED}
        assert gate.transports["encrypted"].carried == []
        at, report = gate.reports()[-1]
        assert at == START + 48 * HOUR
        assert b"Status: 4.4.7" in report
        assert b"Diagnostic-Code: x-sealpost; 4.2.0 It was reply 4xx." in report


async def test_declined_route_is_left_at_once_and_a_chain_never_goes_back() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: NO_STARTTLS
    gate.transports["encrypted"].script = lambda delivery, target, now: deferred(Cause.UNREACHABLE)
    async with gate.running():
        await gate.hand_over("lawyer@plain.example")
        await gate.clock.advance(6 * 24 * HOUR)
        assert gate.transports["tls"].carried == ["lawyer@plain.example"]
        assert gate.transports["encrypted"].deliveries[0][0] == START
        # The second route has no limit of its own: the queue's age ends it.
        assert gate.transports["encrypted"].deliveries[-1][0] == START + 5 * 24 * HOUR
        assert await gate.ends() == {"lawyer@plain.example": State.REPORTED}
        assert b"Status: 4.4.7" in gate.reports()[-1][1]


async def test_refusal_of_the_next_hop_is_reported_at_once_and_no_other_route_is_tried() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("nobody@tls.example")
        await settle()
        assert gate.transports["encrypted"].carried == []
        assert await gate.ends() == {"nobody@tls.example": State.REPORTED}
        assert b"Diagnostic-Code: smtp; 550 5.1.1 no such user" in gate.reports()[0][1]


async def test_deferred_recipient_is_retried_alone() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.REPLY_4XX) if target.number == 1 and now == START else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@tls.example", "b@tls.example", "c@tls.example")
        await gate.clock.advance(HOUR)
        assert gate.transports["tls"].carried == ["a@tls.example", "b@tls.example", "c@tls.example", "b@tls.example"]
        assert set((await gate.ends()).values()) == {State.DELIVERED}


async def test_retries_grow_and_are_spread_and_end_exactly_at_the_deadline() -> None:
    gate = Gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over(
            "gp@tls.example", message=b"X-Classification: public\r\nFrom: officer@council.example\r\n\r\nx\r\n"
        )
        await gate.clock.advance(6 * 24 * HOUR)
    times = [at - START for at, _ in gate.transports["opportunistic"].deliveries]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:4] == [timedelta(minutes=5.5 * 2**n) for n in range(4)]
    assert max(waits) == timedelta(minutes=77)
    assert times[-1] == timedelta(days=5)
    assert [event.kind for event in await gate.audit()][-1] is EventKind.ENDED
