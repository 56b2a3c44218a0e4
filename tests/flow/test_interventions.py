"""What an operator does to mail on its way: held, sent another way, given back; never below its floor, always told."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.core.facts import Lookup
from gateway.core.outcome import Cause, Outcome
from gateway.core.record import EventKind, QueueId, RecipientRow, State
from gateway.core.route import Route
from gateway.core.tls import Channel, Protection, Starttls
from gateway.flow.interventions import hold, reroute
from gateway.flow.ports import Delivery, OperatorChange, QueueFilter, Target
from gateway.flow.release import give_back, release
from tests.fakes.carrying import DELIVERED, NO_STARTTLS, deferred
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, POLICY, ROUTES, Gate

KIM = "kim"
PUBLIC = b"X-Classification: public\r\nFrom: officer@council.example\r\n\r\nThe body.\r\n"


def first_id(gate: Gate) -> QueueId:
    return gate.heard.accepted_rows[0][0].queue_id


async def waiting(gate: Gate) -> RecipientRow:
    (item,) = await gate.spool.query(QueueFilter(queue_id=first_id(gate)), None, 10)
    return item.row


async def operate(gate: Gate, change: OperatorChange) -> int:
    await settle()
    changed = await gate.spool.operate(first_id(gate), None, change)
    gate.dispatch.wake()
    await settle()
    return changed


@asynccontextmanager
async def down(gate: Gate, route: str = "tls") -> AsyncGenerator[None]:
    """While the hosts of a route answer for now only."""

    def later(delivery: Delivery, target: Target, now: object) -> Outcome:
        return deferred(Cause.REPLY_4XX)

    before, gate.transports[route].script = gate.transports[route].script, later
    yield
    await settle()
    gate.transports[route].script = before


async def test_what_is_held_is_not_tried_until_its_release_and_then_goes_on_where_it_was() -> None:
    gate = Gate()
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
        before = await waiting(gate)
        assert await operate(gate, hold(KIM, gate.shared.planner, "wrong file", gate.clock.now())) == 1
        assert await operate(gate, hold(KIM, gate.shared.planner, "again", gate.clock.now())) == 0
        await gate.clock.advance(24 * HOUR)
        assert (await waiting(gate)).state is State.HELD
        assert len(gate.transports["tls"].deliveries) == 1
        assert await operate(gate, release(KIM, gate.shared.planner, gate.clock.now(), reason="it was right")) == 1
        assert await gate.ends() == {"a@x.example": State.DELIVERED}
        told = [event.text for event in await gate.audit(EventKind.OPERATOR)]
        assert told == ["held by kim: wrong file", "released by kim: it was right"]
        assert before.expires_at + 24 * HOUR > gate.clock.now()


async def test_a_hold_keeps_the_place_in_the_chain_and_does_not_age() -> None:
    gate = Gate()
    async with gate.running():
        gate.transports["tls"].script = lambda delivery, target, now: NO_STARTTLS
        async with down(gate, "encrypted"):
            await gate.hand_over("a@x.example")
            await settle()
            moved = await waiting(gate)
            assert moved.route_index == 1
            await operate(gate, hold(KIM, gate.shared.planner, "stop", gate.clock.now()))
            await gate.clock.advance(10 * HOUR)
            await operate(gate, release(KIM, gate.shared.planner, gate.clock.now()))
        after = await waiting(gate)
        assert (after.route_index, after.expires_at) == (1, moved.expires_at + 10 * HOUR)
        attempts = [e.route for e in await gate.audit(EventKind.ATTEMPT) if e.address == "a@x.example"]
        assert attempts == ["tls", "encrypted", "encrypted"]


async def test_a_hold_that_nobody_ends_goes_back_to_its_sender() -> None:
    gate = Gate()
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
        await operate(gate, hold(KIM, gate.shared.planner, "stop", gate.clock.now()))
        await gate.clock.advance(gate.queue.hold_max + HOUR)
        assert await gate.ends() == {"a@x.example": State.REPORTED}
        assert len(gate.transports["tls"].deliveries) == 1


async def test_an_open_recipient_is_held_and_waits_on_for_its_facts() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("gp@asks.example")
        assert (await waiting(gate)).state is State.OPEN
        assert await operate(gate, hold(KIM, gate.shared.planner, "stop", gate.clock.now())) == 1
        await gate.clock.advance(20 * HOUR)
        assert await operate(gate, reroute(KIM, gate.shared.planner, "encrypted", "x", gate.clock.now())) == 0
        assert await operate(gate, release(KIM, gate.shared.planner, gate.clock.now())) == 1
        assert (await waiting(gate)).state is State.OPEN
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(2 * HOUR)
        assert await gate.ends() == {"gp@asks.example": State.DELIVERED}


async def test_the_people_of_a_role_do_not_release_what_an_operator_stopped() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@held.example")
        async with down(gate):
            await operate(gate, release(KIM, gate.shared.planner, gate.clock.now()))
        held = await waiting(gate)
        assert held.state is State.QUEUED
        await operate(gate, hold(KIM, gate.shared.planner, "stop", gate.clock.now()))
        assert await operate(gate, release("ann@council.example", gate.shared.planner, gate.clock.now(), role="")) == 0
        assert await operate(gate, release(KIM, gate.shared.planner, gate.clock.now())) == 1


@pytest.mark.parametrize(("to", "changed"), [("encrypted", 1), ("opportunistic", 1), ("tls", 0), ("missing", 0)])
async def test_mail_takes_another_route_if_that_protects_it(to: str, changed: int) -> None:
    gate = Gate()
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
            assert (
                await operate(gate, reroute(KIM, gate.shared.planner, to, "their host is down", gate.clock.now()))
                == changed
            )
        if changed:
            assert await gate.ends() == {"a@x.example": State.DELIVERED}
            assert gate.transports[to].carried == ["a@x.example"]
            (told,) = await gate.audit(EventKind.OPERATOR)
            assert told.text == f"rerouted by kim from tls to {to}: their host is down"
        else:
            assert (await waiting(gate)).decision.rule == "Controlled"
            assert await gate.audit(EventKind.OPERATOR) == []


async def test_a_route_that_demands_less_is_tried_with_the_floor_of_the_message() -> None:
    lax = Route(name="lax", transport="mx", demands=Channel.PLAIN)
    gate = Gate(routes={**ROUTES, "lax": lax}, policy=replace(POLICY, routes={**ROUTES, "lax": lax}))
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
            await operate(gate, reroute(KIM, gate.shared.planner, "lax", "try", gate.clock.now()))
        ((_, delivery),) = gate.transports["lax"].deliveries
        assert (delivery.route.name, delivery.floor) == ("lax", Protection.ENCRYPTED)


async def test_what_is_held_takes_the_other_route_at_its_release() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@held.example")
        assert await operate(gate, reroute(KIM, gate.shared.planner, "encrypted", "x", gate.clock.now())) == 1
        assert (await waiting(gate)).state is State.HELD
        await operate(gate, release(KIM, gate.shared.planner, gate.clock.now()))
        assert gate.transports["encrypted"].carried == ["a@held.example"]


async def test_what_an_operator_gives_back_is_reported_with_note_and_last_answer() -> None:
    gate = Gate()
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
            assert await operate(gate, give_back(KIM, "Their host moved: send it anew.", gate.clock.now())) == 1
        assert await gate.ends() == {"a@x.example": State.REPORTED}
        ((_, report),) = gate.reports()
        assert b"What to do: Their host moved: send it anew." in report
        assert b"An operator of our mail system took it out of the queue." in report.replace(b"\r\n", b" ")
        assert len(gate.transports["tls"].deliveries) == 1


async def test_nobody_but_an_operator_gives_back_what_is_not_held() -> None:
    gate = Gate()
    async with gate.running():
        async with down(gate):
            await gate.hand_over("a@x.example")
        assert await operate(gate, give_back("ann@council.example", "no", gate.clock.now(), role="ig")) == 0
        gate.transports["tls"].script = lambda delivery, target, now: DELIVERED
        await gate.clock.advance(2 * HOUR)
        assert await gate.ends() == {"a@x.example": State.DELIVERED}
