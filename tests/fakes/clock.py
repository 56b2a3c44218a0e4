"""A clock that stands until it is stepped: hours of a queue's life in one process, each thing at its own time."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class SteppedClock:
    """`now` changes only by `advance` and `advance_to`, which wake each sleeper at its own time."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._start = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep_until(self, when: datetime) -> None:
        if when <= self._now:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), woken))
        await woken

    async def advance(self, by: timedelta) -> None:
        """Lets that much time pass."""
        await self.advance_to(self._now + by)

    async def advance_to(self, when: datetime) -> None:
        """Steps from sleeper to sleeper until ``when``, and lets everything come to rest at each step."""
        await settle()
        while self._sleepers and self._sleepers[0][0] <= when:
            at, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._now = when
        await settle()


async def settle() -> None:
    """Runs all that can run without time passing or a byte arriving."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, asyncio.BaseEventLoop)
    # What is ready to run is no public thing, and no event tells that nothing is left.
    while loop._ready:  # noqa: ASYNC110  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.sleep(0)
