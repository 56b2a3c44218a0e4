"""What the workers remember of hosts and policies, for a command that shall see what they see and change nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.spool.state_reader import read_state


@dataclass(frozen=True, slots=True)
class ReadOnlyState:
    """The shared state of a spool as `flow.ports.StateStore`; what is put there is dropped, and no lease is given."""

    spool: Path

    async def get(self, key: str) -> bytes | None:
        return (await self.items(key, 1)).get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        found = {key: await self.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        return await asyncio.to_thread(read_state, self.spool, prefix, limit, datetime.now(UTC))

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        """Drops it."""

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        held = await self.get(key)
        return value if held is None else held

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        """Drops them."""

    async def delete(self, key: str) -> None:
        """Leaves it."""

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        return False
