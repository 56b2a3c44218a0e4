"""The janitor: what has to be done now and then in a worker, each at its own pace, none of it for a message's sake.

It adopts shards whose process died, measures the queue for the gauges, sends digests and reminders, and sweeps out old
audit events, policies that no entry needs, and bodies that no message has. A chore that fails is heard of and done
again next time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.core.record import State
from gateway.flow.ports import Clock, Events, QueueSize, Spool

ADOPT_EVERY: Final = timedelta(seconds=5)
MEASURE_EVERY: Final = timedelta(seconds=15)
SWEEP_EVERY: Final = timedelta(hours=1)
DIGEST_EVERY: Final = timedelta(minutes=5)
REMIND_EVERY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chores:
    """``spools`` gives those that this worker owns now; ``adopt`` looks for more; ``gauge`` hears their sum.

    ``digest`` sends what was gathered for the mailboxes of roles, ``remind`` what senders hear of missing receipts.
    """

    spools: Callable[[], Sequence[Spool]]
    adopt: Callable[[], Awaitable[None]]
    gauge: Callable[[QueueSize], None]
    audit_keep: timedelta
    digest: Callable[[], Awaitable[None]]
    remind: Callable[[], Awaitable[None]]


class Janitor:
    """Runs until it is cancelled."""

    def __init__(self, chores: Chores, clock: Clock, events: Events) -> None:
        self._chores = chores
        self._clock = clock
        self._events = events

    async def run(self) -> None:
        """Does every chore at once, and then at its pace."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(ADOPT_EVERY, "adopt", self._chores.adopt))
            tasks.create_task(self._every(MEASURE_EVERY, "measure", self._measure))
            tasks.create_task(self._every(SWEEP_EVERY, "sweep", self._sweep))
            tasks.create_task(self._every(DIGEST_EVERY, "digest", self._chores.digest))
            tasks.create_task(self._every(REMIND_EVERY, "remind", self._chores.remind))

    async def _every(self, pace: timedelta, name: str, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except Exception as error:
                self._events.broken(f"janitor {name}", "", error)
            await self._clock.sleep_until(self._clock.now() + pace)

    async def _measure(self) -> None:
        sizes = [await spool.size() for spool in self._chores.spools()]
        waiting = {state: sum(size.waiting.get(state, 0) for size in sizes) for state in State if state.waits}
        oldest = min((size.oldest for size in sizes if size.oldest is not None), default=None)
        self._chores.gauge(QueueSize(waiting=waiting, oldest=oldest))

    async def _sweep(self) -> None:
        before = self._clock.now() - self._chores.audit_keep
        for spool in self._chores.spools():
            await spool.sweep(before)
