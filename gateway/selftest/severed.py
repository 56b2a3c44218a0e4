"""The databases, as they are when they are gone: each can be cut off, and then raises what the real ones raise."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.core.record import Entry
from gateway.flow.ports import Lease, Settlement, SpoolError, StateStore
from gateway.spool.sqlite import SqliteSpool


class SeveredSpool(SqliteSpool):
    """A spool that keeps nothing more while ``takes`` is False, and records no outcome while ``settles`` is."""

    takes = True
    settles = True

    async def commit(self, entries: Sequence[Entry]) -> None:
        """See `flow.ports.Spool`."""
        if not self.takes:
            raise SpoolError("the self-test has cut the spool off")
        await super().commit(entries)

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """See `flow.ports.Spool`."""
        if not self.settles:
            raise SpoolError("the self-test has cut the spool off")
        await super().settle(lease, settlement)


class SeveredState(StateStore):
    """A shared memory that answers nothing while ``answers`` is False."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self.answers = True

    def _reached(self) -> StateStore:
        if not self.answers:
            raise SpoolError("the self-test has cut the shared state off")
        return self._state

    async def get(self, key: str) -> bytes | None:
        """See `flow.ports.StateStore`, like all that follow."""
        return await self._reached().get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Several."""
        return await self._reached().get_many(keys)

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        """All of a prefix."""
        return await self._reached().items(prefix, limit)

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        """Keeps one."""
        await self._reached().put(key, value, until)

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        """Keeps one if there is none."""
        return await self._reached().put_if_absent(key, value, until)

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        """Keeps several."""
        await self._reached().put_many(values, until)

    async def delete(self, key: str) -> None:
        """Forgets one."""
        await self._reached().delete(key)

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        """Takes a lease."""
        return await self._reached().try_lease(name, holder, until)
