"""Turns: few forms of one reader at a time, others of hers wait a moment, and nobody waits for somebody else."""

import asyncio
import gc
from contextlib import AsyncExitStack

import pytest

from gateway.portal import turns
from gateway.portal.form_parts import NotTaken, Trouble
from gateway.portal.turns import Turns


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.02)


async def is_busy(taken: Turns, session: str, reader: str) -> bool:
    try:
        async with taken.taking(session, reader):
            return False
    except NotTaken as problem:
        assert problem.trouble is Trouble.BUSY
        return True


@pytest.mark.usefixtures("_impatient")
async def test_one_of_a_session_and_two_of_a_reader() -> None:
    taken = Turns()
    async with taken.taking("s1", "jo"):
        assert await is_busy(taken, "s1", "jo")
        assert not await is_busy(taken, "s2", "jo")
        async with taken.taking("s2", "jo"):
            assert await is_busy(taken, "s3", "jo")
            assert not await is_busy(taken, "s3", "kim")
        assert not await is_busy(taken, "s3", "jo")
    assert not await is_busy(taken, "s1", "jo")


@pytest.mark.usefixtures("_impatient")
async def test_who_waited_in_vain_holds_nothing() -> None:
    taken = Turns()
    async with AsyncExitStack() as others:
        for session in ("s1", "s2"):
            await others.enter_async_context(taken.taking(session, "jo"))
        assert await is_busy(taken, "s3", "jo")
        assert not await is_busy(taken, "s3", "kim")
    for _ in range(3):
        assert not await is_busy(taken, "s3", "jo")


async def test_the_next_has_its_turn_when_the_one_before_ends() -> None:
    taken, order = Turns(), list[str]()
    entered = asyncio.Event()

    async def second() -> None:
        async with taken.taking("s1", "jo"):
            order.append("second")

    async with taken.taking("s1", "jo"):
        waiting = asyncio.create_task(second())
        asyncio.get_running_loop().call_soon(entered.set)
        await entered.wait()
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_a_failure_inside_gives_the_turn_back_and_stays_what_it_is() -> None:
    taken = Turns()
    with pytest.raises(TimeoutError):
        async with taken.taking("s1", "jo"):
            raise TimeoutError
    assert not await is_busy(taken, "s1", "jo")


async def test_nothing_is_remembered_of_those_who_are_done() -> None:
    taken = Turns()
    for number in range(100):
        async with taken.taking(f"s{number}", f"r{number}"):
            assert len(taken) == 2
    gc.collect()
    assert len(taken) == 0
