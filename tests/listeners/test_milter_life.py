"""Limits, waits, reloads and the end of a milter's connections."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
import uvloop

from gateway.listeners import milter_session
from tests.fakes import milter_packets as wire
from tests.fakes.milter_mta import Answer, FilterBroke, MilterMta
from tests.listeners.milter_rig import MESSAGE, OPTIONS, SENDER, TO, Rig, listening
from tests.listeners.smtp_rig import FakeAccept

LONG = timedelta(seconds=20)


async def hung_up(mta: MilterMta) -> bool:
    """Whether the listener has closed the connection without a word."""
    async with asyncio.timeout(10):
        return await mta.reader.read(1) == b""


@contextlib.asynccontextmanager
async def committing(rig: Rig, mta: MilterMta) -> AsyncGenerator[asyncio.Task[Answer]]:
    """A message of which the commit is under way."""
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(mta.message(SENDER, TO, MESSAGE))
        await rig.accept.begun.wait()
        await rig.accept.last.finishing.wait()
        yield answer


async def test_an_mta_hears_that_we_are_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter_session, "PROGRESS_EVERY", 0.01)
    async with listening(accept=FakeAccept()) as rig, rig.mta() as mta:
        async with committing(rig, mta) as answer:
            await asyncio.sleep(0.1)
            rig.accept.gate.set()
        assert answer.result().progress >= 2
        assert answer.result().verdict == b"d"


async def test_an_mta_that_leaves_during_a_commit_changes_nothing() -> None:
    async with listening(accept=FakeAccept()) as rig:
        with pytest.raises((FilterBroke, ExceptionGroup)):
            async with rig.mta() as mta, committing(rig, mta):
                mta.writer.transport.abort()
                raise FilterBroke("gone")
        rig.accept.gate.set()
    assert rig.accept.last.finished
    assert not rig.accept.last.cancelled and not rig.accept.last.discarded
    assert rig.events.faults == []


async def test_a_silent_mta_is_let_go() -> None:
    async with listening(replace(OPTIONS, timeout=timedelta(milliseconds=50))) as rig, rig.mta() as mta:
        await mta.mail(SENDER)
        await mta.rcpt(*TO)
        await mta.data()
        await mta.ask(wire.header(b"A", b" b"), {})
        assert await hung_up(mta)
        await rig.accept.last.discarding.wait()


async def test_only_who_may_connects_and_no_more_than_there_is_room_for() -> None:
    other = replace(OPTIONS, allow=(ip_network("192.0.2.0/24"),))
    async with listening(other) as rig:
        with pytest.raises(FilterBroke):
            async with rig.mta():
                pass
        assert [reason for _, reason, _ in rig.events.refusals] == ["this client may not relay here"]
    async with listening(replace(OPTIONS, max_connections=1)) as rig, rig.mta():
        with pytest.raises(FilterBroke):
            async with rig.mta():
                pass
        assert [code for *_, code in rig.events.refusals] == [421]


async def test_an_mta_that_breaks_the_protocol_is_left_to_its_default() -> None:
    async with listening() as rig, rig.mta() as mta:
        mta.writer.write(wire.packet(b"X"))
        assert await hung_up(mta)
        assert [reason for _, reason, _ in rig.events.refusals] == ["the MTA sent a milter command that does not exist"]


async def test_a_graceful_end_lets_the_message_in_hand_come_to_its_own() -> None:
    async with listening() as rig, rig.mta() as idle, rig.mta() as busy:
        await busy.mail(SENDER)
        await busy.rcpt(*TO)
        draining = asyncio.create_task(rig.listener.drain(LONG))
        assert await hung_up(idle)
        await busy.data()
        assert (await busy.content(MESSAGE)).verdict == b"d"
        assert await hung_up(busy)
        assert await draining


async def test_an_end_at_once_still_answers_a_commit_and_breaks_off_all_else() -> None:
    async with listening(accept=FakeAccept()) as rig, rig.mta() as receiving, rig.mta() as mta:
        await receiving.mail(SENDER)
        async with committing(rig, mta) as answer:
            rig.serving.cancel()
            assert await hung_up(receiving)
            rig.accept.gate.set()
        assert answer.result().verdict == b"d"
        assert await hung_up(mta)
        with pytest.raises(asyncio.CancelledError):
            await rig.serving


async def test_a_drain_has_an_end() -> None:
    async with listening() as rig, rig.mta() as mta:
        await mta.mail(SENDER)
        assert not await rig.listener.drain(timedelta(milliseconds=20))
        assert await hung_up(mta)


def test_on_uvloop_too_an_mta_that_leaves_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter_session, "PROGRESS_EVERY", 0.01)

    async def story() -> None:
        async with listening(accept=FakeAccept()) as rig:
            with pytest.raises((FilterBroke, ExceptionGroup)):
                async with rig.mta() as mta, committing(rig, mta):
                    mta.writer.transport.abort()
                    raise FilterBroke("gone")
            # Long enough that the MTA would have heard of progress several times.
            await asyncio.sleep(0.1)
            rig.accept.gate.set()
        assert rig.accept.last.finished and not rig.accept.last.discarded
        assert rig.events.faults == []

    uvloop.run(story())
