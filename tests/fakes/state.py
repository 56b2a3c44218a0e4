"""The shared state in memory, by the clock of the test."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.flow.ports import Clock, SpoolError


class MemoryState:
    """``failing`` makes every method raise SpoolError."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, datetime]] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}
        self.failing = False

    async def get(self, key: str) -> bytes | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        living = self._living()
        return {key: living[key] for key in keys if key in living}

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        found = sorted((key, value) for key, value in self._living().items() if key.startswith(prefix))
        return dict(found[:limit])

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        await self.put_many({key: value}, until)

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        held = self._living().get(key)
        if held is None:
            await self.put(key, value, until)
        return value if held is None else held

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        self._living()
        if any(len(value) > 64 * 1024 for value in values.values()):
            raise ValueError("a shared value has at most 64 KiB")
        self._values |= {key: (value, until) for key, value in values.items()}

    async def delete(self, key: str) -> None:
        self._living()
        self._values.pop(key, None)

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        self._living()
        current, ends = self._leases.get(name, (holder, until))
        if current != holder and ends > self._clock.now():
            return False
        self._leases[name] = (holder, until)
        return True

    def damage(self, how: Callable[[bytes], bytes]) -> None:
        """Makes another of every value that is kept now."""
        self._values = {key: (how(value), until) for key, (value, until) in self._values.items()}

    def _living(self) -> Mapping[str, bytes]:
        if self.failing:
            raise SpoolError("the test wants it so")
        now = self._clock.now()
        return {key: value for key, (value, until) in self._values.items() if until > now}
