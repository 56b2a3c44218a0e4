"""From the sealing to the end: a recipient is sealed when its notification has left, and closed when that fails."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.envelope import Notify
from gateway.core.outcome import Cause, Outcome
from gateway.core.record import Kind, State
from gateway.core.sealed import Access
from gateway.flow.dispatch import LEASE
from gateway.flow.pending import ROOM_EVERY, Pending
from gateway.flow.ports import Lease, QueueFilter, SealedStoreError, Settlement, SpoolFull
from gateway.flow.settling import Change
from gateway.spool.changes import delete
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import settle
from tests.flow.gate import Gate, recipient
from tests.flow.sealing import letters, own_ids, sealing_gate, store_of

ANN, BOB, CAT = "ann@one.example", "bob@two.example", "cat@three.example"
DAY = timedelta(days=1)


async def states(gate: Gate) -> list[State]:
    """Of all that waits."""
    return [item.row.state for item in await gate.spool.query(QueueFilter(), None, 100)]


@asynccontextmanager
async def dying(gate: Gate, call: str, state: State) -> AsyncGenerator[None]:
    """The process dies when it is about to do that to a message with such a recipient; at the end another goes on."""
    inner: Callable[..., Awaitable[object]] = getattr(gate.spool, call)

    async def dies(first: object, *rest: object) -> object:
        if any(row.state is state for one in (first, *rest) if isinstance(one, Settlement) for row in one.rows):
            await asyncio.Event().wait()
        return await inner(first, *rest)

    async with gate.running():
        setattr(gate.spool, call, dies)
        yield
    delattr(gate.spool, call)
    gate.restart()
    async with gate.running():
        await gate.clock.advance(2 * LEASE)


async def test_it_is_pending_until_the_notification_has_left_and_then_sealed() -> None:
    gate = sealing_gate()
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        assert sorted(await states(gate)) == [State.QUEUED, State.PENDING]
        assert await gate.ends() == {}
        await gate.clock.advance(DAY)
        gate.transports["opportunistic"].gate.set()
        await settle()
        assert await gate.ends() == {ANN: State.SEALED}
        assert await states(gate) == []
    assert store_of(gate).access() == {ANN: Access.OPEN}


async def test_a_notification_that_is_refused_comes_back_to_the_sender_and_closes_the_package() -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: (
        UNKNOWN_USER if str(target.recipient.address) == ANN else DELIVERED
    )
    async with gate.running():
        await gate.hand_over(ANN, BOB)
        await settle()
    assert await gate.ends() == {ANN: State.REPORTED, BOB: State.SEALED}
    assert store_of(gate).access() == {ANN: Access.REVOKED, BOB: Access.OPEN}
    report = next(mail for mail in letters(gate, "internal") if mail["Subject"].startswith("Not delivered"))
    assert ANN in str(report) and "550 5.1.1 no such user" in str(report) and "token-" not in str(report)


async def test_a_notification_that_never_leaves_in_all_its_time_comes_back() -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: deferred(Cause.UNREACHABLE)
    async with gate.running():
        await gate.hand_over(ANN)
        await gate.clock.advance(gate.queue.max_age + timedelta(minutes=30))
        assert await gate.ends() == {ANN: State.REPORTED}
    assert store_of(gate).access() == {ANN: Access.REVOKED}


async def test_a_notification_that_somebody_deleted_is_not_waited_for_without_end() -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: deferred(Cause.UNREACHABLE)
    async with gate.running():
        await gate.hand_over(ANN)
        await settle()
        (own,) = own_ids(gate) & {item.message.queue_id for item in await gate.spool.query(QueueFilter(), None, 100)}
        assert await gate.spool.operate(own, None, delete("op", "by mistake", gate.clock.now())) == 1
        await gate.clock.advance(gate.queue.max_age + timedelta(hours=2))
        assert await gate.ends() == {ANN: State.REPORTED}
    assert store_of(gate).access() == {ANN: Access.REVOKED}


async def test_recipients_of_one_message_hear_of_their_notifications_at_the_same_time() -> None:
    gate = sealing_gate()
    async with gate.running():
        await gate.hand_over(ANN, BOB, CAT)
        await settle()
        assert await gate.ends() == dict.fromkeys((ANN, BOB, CAT), State.SEALED)


async def test_an_answer_reaches_a_recipient_while_another_of_its_message_is_being_settled() -> None:
    gate = sealing_gate()
    held, inner = asyncio.Event(), gate.spool.settle

    async def slowly(lease: Lease, settlement: Settlement) -> None:
        if any(str(row.address) == ANN and row.state is State.SEALED for row in settlement.rows):
            await held.wait()
        await inner(lease, settlement)

    gate.spool.settle = slowly
    async with gate.running():
        await gate.hand_over(ANN, BOB)
        await settle()
        assert await gate.ends() == {BOB: State.SEALED}
        held.set()
        await settle()
    assert await gate.ends() == {ANN: State.SEALED, BOB: State.SEALED}


async def test_a_store_that_cannot_revoke_is_heard_of_and_the_sender_hears_all_the_same() -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        store_of(gate).down = True
        gate.transports["opportunistic"].gate.set()
        await settle()
    assert await gate.ends() == {ANN: State.REPORTED}
    ((where, _, error),) = gate.heard.faults
    assert where == "revoke" and isinstance(error, SealedStoreError)


async def test_success_is_told_to_who_asked_for_it_when_the_notification_has_left() -> None:
    gate = sealing_gate()
    async with gate.running():
        await gate.hand_over(recipient(ANN, Notify.SUCCESS))
        await settle()
    subjects = [mail["Subject"].partition(":")[0] for mail in letters(gate, "internal")]
    assert subjects == ["Sealed", "Passed on"]


async def test_a_crash_between_sealing_and_settling_leaves_one_link() -> None:
    gate = sealing_gate()
    async with dying(gate, "settle", State.PENDING):
        await gate.hand_over(ANN, BOB)
        await settle()
        assert len(store_of(gate).packages) == 1 and letters(gate) == []
    assert [mail["To"] for mail in letters(gate)] == [ANN, BOB]
    assert len(store_of(gate).packages) == len(letters(gate, "internal")) == 1
    assert await gate.ends() == {ANN: State.SEALED, BOB: State.SEALED}


@pytest.mark.parametrize(("outcome", "end"), [(DELIVERED, State.SEALED), (UNKNOWN_USER, State.REPORTED)])
async def test_a_crash_between_answer_and_settlement_gives_two_equal_letters_and_one_end(
    outcome: Outcome, end: State
) -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: outcome
    gone = State.DELIVERED if outcome is DELIVERED else State.UNREPORTABLE
    async with dying(gate, "settle", gone):
        await gate.hand_over(ANN)
        await settle()
        assert len(letters(gate)) == 1
        gate.transports["opportunistic"].script = lambda delivery, target, now: DELIVERED
    first, second = letters(gate)
    assert first.as_bytes() == second.as_bytes()
    assert await gate.ends() == {ANN: end}
    assert store_of(gate).access() == {ANN: Access.OPEN if end is State.SEALED else Access.REVOKED}
    assert await states(gate) == []


@pytest.mark.parametrize(("outcome", "end"), [(DELIVERED, State.SEALED), (UNKNOWN_USER, State.REPORTED)])
async def test_a_crash_before_the_recipients_own_end_changes_nothing(outcome: Outcome, end: State) -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: outcome
    async with dying(gate, "settle", end):
        await gate.hand_over(ANN)
        await settle()
        assert len(letters(gate)) == 1 and await gate.ends() == {}
    assert len(letters(gate)) == 1 and await gate.ends() == {ANN: end}


async def test_the_first_answer_holds() -> None:
    gate = sealing_gate()
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        message, (row,) = next(each for each in gate.heard.accepted_rows if each[0].kind is Kind.NOTIFICATION)
        pending = Pending(gate.spool, gate.shared, message)
        for outcome, state in ((UNKNOWN_USER, State.UNREPORTABLE), (DELIVERED, State.DELIVERED)):
            await pending.answer([Change(before=row, after=replace(row, state=state), outcome=outcome)])
        (item,) = await gate.spool.query(QueueFilter(states=frozenset({State.PENDING})), None, 10)
        assert item.row.notified == UNKNOWN_USER and item.row.due_at == gate.clock.now()


async def test_an_answer_waits_for_room() -> None:
    gate = sealing_gate()
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        gate.spool.refuse = SpoolFull("no room")
        gate.transports["opportunistic"].gate.set()
        await gate.clock.advance(10 * ROOM_EVERY)
        gate.spool.refuse = None
        await gate.clock.advance(ROOM_EVERY)
    assert len(letters(gate)) == 1 and await gate.ends() == {ANN: State.SEALED}


async def test_a_report_that_cannot_be_made_is_made_later_from_what_is_known_now() -> None:
    gate = sealing_gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        gate.spool.bodies.refuse = SpoolFull("no room")
        gate.transports["opportunistic"].gate.set()
        await settle()
        assert await gate.ends() == {} and store_of(gate).access() == {ANN: Access.REVOKED}
        gate.spool.bodies.refuse = None
        await gate.clock.advance(timedelta(hours=2))
    assert await gate.ends() == {ANN: State.REPORTED}
    assert "550 5.1.1 no such user" in str(letters(gate, "internal")[-1])
