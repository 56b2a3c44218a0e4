"""A bounded cache whose entries expire, single flight, and both together: one question is asked once at a time.

Time is given by the caller as monotonic seconds, so that a stepped clock drives both. Nothing here survives a restart.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

from gateway.flow.ports import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Keeps at most ``limit`` entries; the one that was read longest ago makes room."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now: float) -> V | None:
        """The value, None if there is none or its time is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, value = entry
        if until <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V, until: float) -> None:
        """Keeps ``value`` until then, in place of an earlier one."""
        self._entries[key] = (until, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)


class SingleFlight(Generic[K, V]):
    """Lets all who ask for a key at the same time wait for one answer."""

    __slots__ = ("_flights",)

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Future[V]] = {}

    async def run(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer of a running ``ask`` for the key, or of this one; one that was cancelled is asked again.

        Raises:
            Exception: what ``ask`` raises, to its own caller; the others ask for themselves.
        """
        while (flight := self._flights.get(key)) is not None:
            # wait() leaves the future alone when this waiter is cancelled; awaiting it would cancel everybody's.
            await asyncio.wait([flight])
            if not flight.cancelled():
                return flight.result()
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            value = await ask()
            flight.set_result(value)
            return value
        finally:
            del self._flights[key]
            flight.cancel()


class Remembered(Generic[K, V]):
    """Answers that are asked for once at a time and kept for as long as they say."""

    __slots__ = ("_cache", "_clock", "_flights")

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._cache: ExpiringCache[K, V] = ExpiringCache(limit)
        self._flights: SingleFlight[K, V] = SingleFlight()

    async def get(self, key: K, ask: Callable[[], Awaitable[tuple[V, timedelta]]]) -> V:
        """The kept answer, or the one that ``ask`` gives together with how long it holds."""
        kept = self._cache.get(key, self._clock.monotonic())
        return kept if kept is not None else await self._flights.run(key, lambda: self._ask(key, ask))

    async def _ask(self, key: K, ask: Callable[[], Awaitable[tuple[V, timedelta]]]) -> V:
        value, holds = await ask()
        self._cache.put(key, value, self._clock.monotonic() + holds.total_seconds())
        return value
