"""The smaller parts: carriers, kept policies, the janitor's chores."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.record import EventKind, State
from gateway.flow.janitor import SWEEP_EVERY, Charge, Chore, Janitor
from gateway.flow.ports import QueueSize, Spool
from tests.fakes.clock import START, settle
from tests.fakes.events import Heard
from tests.flow.gate import HOUR, ROUTES, Gate


async def test_next_hop_names_route_and_host_or_domain() -> None:
    gate = Gate()
    assert gate.shared.carriers.next_hop("tls", "x.example") == "tls:x.example"
    assert gate.shared.carriers.next_hop("internal", "x.example") == "internal:internal.host"
    assert gate.shared.carriers.next_hop("gone", "x.example") == "gone:x.example"
    assert gate.shared.carriers.route("tls") == ROUTES["tls"]
    assert gate.shared.carriers.route("gone") is gate.shared.carriers.get("gone") is None


async def test_policy_is_parsed_again_once_and_few_are_remembered() -> None:
    gate = Gate()
    parsed: list[bytes] = []

    def parse(text: bytes) -> object:
        parsed.append(text)
        return replace(gate.policy, hash=text.decode())

    gate.book._parse = parse  # pyright: ignore[reportAttributeAccessIssue]
    for number in range(10):
        await gate.spool.keep_policy(f"old-{number}", f"old-{number}".encode())
    for _ in range(2):
        found = await gate.book.recall("old-9", gate.spool)
        assert found is not None and found.hash == "old-9"
    assert parsed == [b"old-9"]
    for number in range(10):
        await gate.book.recall(f"old-{number}", gate.spool)
    assert len(gate.book._recalled) == 8
    assert await gate.book.recall("never", gate.spool) is None
    assert await gate.book.recall("policy-1", gate.spool) is gate.policy


async def test_janitor_does_each_chore_at_its_pace() -> None:
    gate = Gate()
    adopted: list[int] = []
    digested: list[int] = []
    sizes: list[QueueSize] = []

    async def adopt() -> None:
        adopted.append(1)
        if len(adopted) == 2:
            raise RuntimeError("the disk is slow")

    async def digest() -> None:
        digested.append(1)

    def spools() -> Sequence[Spool]:
        return (gate.spool, gate.spool)

    keep = timedelta(minutes=90)
    charge = Charge(spools=spools, gauge=sizes.append, audit_keep=keep)
    chores = (Chore("adopt", timedelta(seconds=5), adopt), Chore("digest", timedelta(minutes=5), digest))
    heard = Heard()
    async with gate.running(), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Janitor(charge, chores, gate.clock, heard).run())
        await gate.hand_over("a@held.example")
        await gate.clock.advance(timedelta(seconds=16))
        assert len(adopted) == 4, "it goes on after a failure"
        assert [fault[0] for fault in heard.faults] == ["janitor adopt"]
        assert len(sizes) == 2
        assert sizes[-1].waiting[State.HELD] == 2, "the sum over all spools"
        assert sizes[-1].waiting[State.QUEUED] == 0
        assert sizes[-1].oldest == START
        assert len(digested) == 1
        await gate.clock.advance(SWEEP_EVERY)
        assert len(digested) == 13
        assert len(await gate.audit(EventKind.ACCEPTED)) == 2, "the message, and the notice that it is held"
        await gate.clock.advance(SWEEP_EVERY)
        assert await gate.audit(EventKind.ACCEPTED) == []
        running.cancel()


async def test_janitor_of_an_empty_spool_measures_nothing_waiting() -> None:
    gate = Gate()
    sizes: list[QueueSize] = []

    charge = Charge(spools=lambda: (gate.spool,), gauge=sizes.append, audit_keep=HOUR)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Janitor(charge, (), gate.clock, Heard()).run())
        await settle()
        running.cancel()
    assert sizes == [QueueSize(waiting={State.QUEUED: 0, State.OPEN: 0, State.HELD: 0, State.PENDING: 0}, oldest=None)]


@pytest.mark.parametrize("large", [False, True])
async def test_body_is_read_alike_from_row_and_file(large: bool) -> None:
    gate = Gate()
    gate.spool.bodies.inline = 10 if large else 10_000
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
    ((_, delivery),) = gate.transports["tls"].deliveries
    assert (delivery.body.path is not None) is large
    assert b"\r\nSubject: the planted subject\r\n" in delivery.header
