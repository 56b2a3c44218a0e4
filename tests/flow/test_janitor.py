"""Chores go at their pace; one that fails is heard of at growing pauses, and goes at its own pace again afterwards."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from datetime import timedelta

from gateway.flow.janitor import MOST_PAUSE, Charge, Chore, Janitor
from gateway.flow.ports import Spool
from tests.fakes.clock import SteppedClock
from tests.fakes.events import Heard


def nothing() -> Sequence[Spool]:
    return ()


async def test_a_chore_that_fails_is_heard_of_less_and_less() -> None:
    clock, events, at = SteppedClock(), Heard(), list[float]()

    async def do() -> None:
        at.append(clock.monotonic())
        if clock.monotonic() < 300:
            raise OSError("gone")

    charge = Charge(spools=nothing, gauge=lambda _: None, audit_keep=timedelta(days=1))
    janitor = Janitor(charge, (Chore("post", timedelta(seconds=1), do),), clock, events)
    running = asyncio.create_task(janitor.run())
    await clock.advance(timedelta(seconds=400))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert max(pauses) == MOST_PAUSE.total_seconds()
    assert set(pauses[-20:]) == {1}
    assert len(events.faults) == sum(1 for one in at if one < 300)


async def test_a_chore_that_swallows_its_cancellation_keeps_nobody_from_stopping() -> None:
    """As a lookup may whose answer comes in the very moment of the stop."""
    begun = asyncio.Event()

    async def do() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    charge = Charge(spools=nothing, gauge=lambda _: None, audit_keep=timedelta(days=1))
    chores = (Chore("look", timedelta(minutes=5), do),)
    running = asyncio.create_task(Janitor(charge, chores, SteppedClock(), Heard()).run())
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=10)
    assert done and running.cancelled()
