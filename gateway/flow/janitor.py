"""The janitor: what has to be done now and then in a worker, each at its own pace, none of it for a message's sake.

It measures the queue for the gauges, and sweeps out old audit events, policies that no entry needs, and bodies that no
message has; what else there is to do is given to it. A chore that fails is heard of, and done again later and later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.core.record import State
from gateway.flow.ports import Clock, Events, QueueSize, Spool

MEASURE_EVERY: Final = timedelta(seconds=15)
SWEEP_EVERY: Final = timedelta(hours=1)
MOST_PAUSE: Final = timedelta(minutes=1)
"""Of a chore that fails again and again, if it is not a longer one anyway."""


@dataclass(frozen=True, slots=True)
class Chore:
    """What is done at once, and then so long after it was done last."""

    name: str
    every: timedelta
    do: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What it looks after: ``spools`` gives those that this worker owns now; ``gauge`` hears the sum of their sizes."""

    spools: Callable[[], Sequence[Spool]]
    gauge: Callable[[QueueSize], None]
    audit_keep: timedelta


class Janitor:
    """Runs until it is cancelled."""

    def __init__(self, charge: Charge, chores: Sequence[Chore], clock: Clock, events: Events) -> None:
        self._charge = charge
        self._chores = (
            *chores,
            Chore("measure", MEASURE_EVERY, self._measure),
            Chore("sweep", SWEEP_EVERY, self._sweep),
        )
        self._clock = clock
        self._events = events

    async def run(self) -> None:
        """Does every chore at once, and then at its pace."""
        async with asyncio.TaskGroup() as tasks:
            for chore in self._chores:
                tasks.create_task(self._repeat(chore))

    async def _repeat(self, chore: Chore) -> None:
        pause = chore.every
        while True:
            try:
                await chore.do()
            except Exception as error:
                self._events.broken(f"janitor {chore.name}", "", error)
                rest, pause = pause, max(chore.every, min(2 * pause, MOST_PAUSE))
            else:
                rest = pause = chore.every
            if _is_over():
                return
            await self._clock.sleep_until(self._clock.now() + rest)

    async def _measure(self) -> None:
        sizes = [await spool.size() for spool in self._charge.spools()]
        waiting = {state: sum(size.waiting.get(state, 0) for size in sizes) for state in State if state.waits}
        oldest = min((size.oldest for size in sizes if size.oldest is not None), default=None)
        self._charge.gauge(QueueSize(waiting=waiting, oldest=oldest))

    async def _sweep(self) -> None:
        before = self._clock.now() - self._charge.audit_keep
        for spool in self._charge.spools():
            await spool.sweep(before)


def _is_over() -> bool:
    """Whether we were cancelled, even if a chore swallowed that, as `asyncio.wait_for` does before Python 3.12."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
