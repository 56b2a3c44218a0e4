"""From the sealing to the end: a recipient is sealed when its notification has left, and closed when that fails."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.envelope import Notify
from gateway.core.outcome import Cause
from gateway.core.record import Event, EventKind, Kind, State
from gateway.core.sealed import Access
from gateway.flow.dispatch import LEASE
from gateway.flow.pending import ROOM_EVERY
from gateway.flow.ports import QueueFilter, SealedStoreError, SpoolError, SpoolFull
from gateway.spool.memory import MemorySpool
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import settle
from tests.flow.gate import Gate, recipient
from tests.flow.sealing import letters, sealing_gate, store_of, text

ANN, BOB, CAT = "ann@one.example", "bob@two.example", "cat@three.example"
DAY = timedelta(days=1)


async def states(gate: Gate) -> list[State]:
    """Of all that waits."""
    return [item.row.state for item in await gate.spool.query(QueueFilter(), None, 100)]


def stuck(gate: Gate) -> None:
    """From now on the spool does what it is asked, and the process dies before it hears of that: as good as never."""

    async def dies(*_: object) -> None:
        await asyncio.Event().wait()

    gate.spool.settle = dies  # pyright: ignore[reportAttributeAccessIssue]


async def crash(gate: Gate) -> None:
    """The process is gone, and another one goes on when its leases have run out."""
    del gate.spool.settle  # pyright: ignore[reportAttributeAccessIssue]
    gate.restart()
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
    assert [message.kind for message, row in gate.heard.ends if message.kind is Kind.RELAY] == [Kind.RELAY]
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
    async with gate.running():
        gate.transports["opportunistic"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        gate.spool._kept = {  # pyright: ignore[reportPrivateUsage]
            key: kept
            for key, kept in gate.spool._kept.items()  # pyright: ignore[reportPrivateUsage]
            if kept.message.kind is Kind.RELAY
        }
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
    held = asyncio.Event()
    inner = gate.spool.settle

    async def slowly(lease: object, settlement: object) -> None:
        if any(row.address.domain == "one.example" and row.state is State.SEALED for row in settlement.rows):  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
            await held.wait()
        await inner(lease, settlement)  # pyright: ignore[reportArgumentType]

    async with gate.running():
        gate.spool.settle = slowly  # pyright: ignore[reportAttributeAccessIssue]
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
    async with gate.running():
        stuck(gate)
        await gate.hand_over(ANN, BOB)
        await settle()
        assert len(store_of(gate).packages) == 1 and letters(gate) == []
        gate.dispatch.stop()
    await _after_a_crash(gate)
    assert [mail["To"] for mail in letters(gate)] == [ANN, BOB]
    assert "token-package-1-0" in text(letters(gate)[0])
    assert len(store_of(gate).packages) == len(letters(gate, "internal")) == 1
    assert await gate.ends() == {ANN: State.SEALED, BOB: State.SEALED}


async def _after_a_crash(gate: Gate) -> None:
    async with gate.running():
        await gate.clock.advance(2 * LEASE)
