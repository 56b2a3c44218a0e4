"""The shards of one worker: the one it takes mail into, and those of dead workers that it drains.

A shard belongs to whoever holds its lock. A worker whose usual shard is being drained by another takes the next free
number: the number names a folder, not a worker.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.flow.ports import SpoolError
from gateway.spool.lock import Locked
from gateway.spool.reader import shard_waits
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of

_SHARDS: Final = 1000


class Shards:
    """Made by `open`. ``own`` takes mail; `adopt` and `give_back` are for one janitor, one call at a time."""

    def __init__(self, spool_dir: Path, own: SqliteSpool, parts: SpoolParts) -> None:
        self.own = own
        self._spool_dir = spool_dir
        self._parts = parts
        self._adopted: dict[int, SqliteSpool] = {}
        self._unusable: dict[int, str] = {}

    @classmethod
    async def open(cls, spool_dir: Path, preferred: int, parts: SpoolParts) -> "Shards":
        """Takes the shard ``preferred`` or, if another process drains it, the first free one. Raises SpoolError."""
        for shard in (preferred, *range(_SHARDS)):
            try:
                return cls(spool_dir, await SqliteSpool.open(spool_dir, shard, parts), parts)
            except Locked:
                continue
        raise SpoolError(f"all shards of {spool_dir} are in use")

    @property
    def owned(self) -> tuple[SqliteSpool, ...]:
        """All spools whose locks we hold, our own first."""
        return self.own, *self._adopted.values()

    async def adopt(self) -> tuple[SqliteSpool, ...]:
        """Takes every shard that holds mail and that nobody owns; returns those that are new.

        One that cannot be opened is left for the next look, and stands in `unusable` until then.
        """
        new: list[SqliteSpool] = []
        self._unusable = {}
        for shard in await asyncio.to_thread(self._orphaned):
            try:
                spool = await SqliteSpool.open(self._spool_dir, shard, self._parts)
            except Locked:
                continue
            except SpoolError as error:
                self._unusable[shard] = str(error)
                continue
            self._adopted[shard] = spool
            new.append(spool)
        return tuple(new)

    @property
    def unusable(self) -> Mapping[int, str]:
        """The shards in which something waits that nobody has and that cannot be opened, and why."""
        return self._unusable

    async def give_back(self, spool: SqliteSpool) -> bool:
        """Closes an adopted shard in which nothing waits any more; call it when its dispatcher has stopped."""
        if self._adopted.get(spool.shard) is not spool or any((await spool.size()).waiting.values()):
            return False
        del self._adopted[spool.shard]
        await spool.aclose()
        return True

    async def aclose(self) -> None:
        """Closes all of them."""
        for spool in self.owned:
            await spool.aclose()

    def _orphaned(self) -> list[int]:
        """Shards that are not ours and in which something waits; whether somebody owns them, the lock will tell."""
        owned = {spool.shard for spool in self.owned}
        numbers = (shard for shard in range(_SHARDS) if shard not in owned)
        return [shard for shard in numbers if shard_waits(folder_of(self._spool_dir, shard))]
