"""Faults of our own that come back at each attempt: nothing is delivered twice, and every deadline holds."""

from datetime import timedelta

import pytest

from gateway.core.outcome import Cause, Deferred
from gateway.core.record import EventKind, State
from gateway.flow.lease_work import UNTOLD_AFTER
from gateway.flow.ports import Lease, Settlement, SpoolError
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import START, settle
from tests.flow.gate import HOUR, Gate

FAULT = ValueError("a bug")


def broken(*_: object, **__: object) -> object:
    """Stands in for a function of ours."""
    raise FAULT


def one_refused(gate: Gate) -> None:
    """The next hop refuses the first recipient and takes the other."""
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER if target.number == 0 else DELIVERED


async def test_report_that_cannot_be_made_repeats_no_delivery_and_its_recipient_ends_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()
    one_refused(gate)
    monkeypatch.setattr("gateway.flow.post.build", broken)
    async with gate.running():
        await gate.hand_over("bad@one.example", "good@one.example")
        await gate.clock.advance(gate.queue.max_age + UNTOLD_AFTER - timedelta(seconds=1))
        assert await gate.ends() == {"good@one.example": State.DELIVERED}
        await gate.clock.advance(gate.queue.retry_max)
        assert await gate.ends() == {"good@one.example": State.DELIVERED, "bad@one.example": State.UNREPORTABLE}
    carried = gate.transports["tls"].carried
    assert carried.count("good@one.example") == 1
    assert carried.count("bad@one.example") <= 2 + (gate.queue.max_age + UNTOLD_AFTER) / gate.queue.retry_max
    assert {(where, error) for where, _, error in gate.heard.faults} == {("report", FAULT)}


async def test_notice_that_cannot_be_made_keeps_no_recipient_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr("gateway.flow.post.build", broken)
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.REPLY_4XX) if now < START + 3 * HOUR else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(5 * HOUR)
    assert await gate.ends() == {"a@one.example": State.DELIVERED}
    assert {where for where, _, _ in gate.heard.faults} == {"report"}


async def test_report_that_cannot_be_written_loses_no_delivery() -> None:
    gate = Gate()
    one_refused(gate)
    async with gate.running():
        await gate.hand_over("bad@one.example", "good@one.example")
        gate.spool.bodies.refuse = SpoolError("the disk broke")
        await settle()
        assert await gate.ends() == {"good@one.example": State.DELIVERED}
        gate.spool.bodies.refuse = None
        await gate.clock.advance(gate.queue.retry_max)
        assert await gate.ends() == {"good@one.example": State.DELIVERED, "bad@one.example": State.REPORTED}


async def test_report_that_a_disk_cannot_take_is_made_however_late() -> None:
    gate = Gate()
    one_refused(gate)
    async with gate.running():
        await gate.hand_over("bad@one.example")
        gate.spool.bodies.refuse = SpoolError("the disk broke")
        await gate.clock.advance(gate.queue.max_age + 2 * UNTOLD_AFTER)
        assert await gate.ends() == {}
        gate.spool.bodies.refuse = None
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"bad@one.example": State.REPORTED}
    assert len(gate.reports()) == 1


async def test_report_that_the_spool_cannot_take_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    one_refused(gate)
    keep = gate.spool.settle

    async def pick(lease: Lease, settlement: Settlement) -> None:
        if settlement.entries:
            raise FAULT
        await keep(lease, settlement)

    monkeypatch.setattr(gate.spool, "settle", pick)
    async with gate.running():
        await gate.hand_over("bad@one.example", "good@one.example")
        await settle()
        assert await gate.ends() == {"good@one.example": State.DELIVERED}


async def test_settlement_that_cannot_be_stored_at_all_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr(gate.spool, "settle", broken)
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
    assert [(where, error) for where, _, error in gate.heard.faults] == [("dispatch", FAULT)]


@pytest.mark.parametrize(
    ("name", "where"),
    [("deliveries.render", "delivery"), ("route_form.hop_edit", "delivery"), ("deliveries.read_header", "body")],
)
async def test_message_that_can_never_be_prepared_goes_back_at_its_deadline(
    name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(f"gateway.flow.{name}", broken)
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(gate.queue.max_age)
    assert await gate.ends() == {"a@one.example": State.REPORTED}
    assert {(at, error) for at, _, error in gate.heard.faults} == {(where, FAULT)}
    assert gate.transports["tls"].carried == []
    outcomes = [event.outcome for event in await gate.audit(EventKind.ATTEMPT)]
    assert all(isinstance(outcome, Deferred) for outcome in outcomes)


async def test_recipient_that_can_never_be_decided_goes_back_and_its_neighbour_is_delivered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()
    await gate.hand_over("a@asks.example", "b@one.example")
    monkeypatch.setattr("gateway.flow.reopening.rule", broken)
    async with gate.running():
        await gate.clock.advance(48 * HOUR)
    assert await gate.ends() == {"a@asks.example": State.REPORTED, "b@one.example": State.DELIVERED}
    assert gate.transports["tls"].carried == ["b@one.example"]
    assert {where for where, _, _ in gate.heard.faults} == {"decide"}


@pytest.mark.parametrize(
    "target",
    ["gateway.flow.history.History.accepted", "tests.fakes.events.Heard.accepted"],
)
async def test_what_fails_behind_the_commit_neither_refuses_nor_loses_the_message(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(target, broken)
        answer = await gate.hand_over("a@one.example")
    assert answer.code == 250
    assert [where for where, _, _ in gate.heard.faults] == ["accepted"]
    gate.restart()
    async with gate.running():
        await settle()
    assert await gate.ends() == {"a@one.example": State.DELIVERED}
    assert gate.transports["tls"].carried == ["a@one.example"]
