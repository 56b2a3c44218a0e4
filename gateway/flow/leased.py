"""Work that one process of the machine does for all of them, for as long as it is there to do it.

Left out on purpose: the work itself; what is done twice when a lease runs out in the middle has to be harmless.
"""

from datetime import timedelta
from typing import Final

from gateway.flow.ports import Clock, Ids, StateStore

LEASE: Final = timedelta(minutes=15)
"""Longer than the pace of the rounds, so that one process keeps the work until it is gone."""


class Leased:
    """One process's claim to the work of that name."""

    def __init__(self, name: str, state: StateStore, clock: Clock, ids: Ids) -> None:
        self._name = name
        self._state = state
        self._clock = clock
        self._ids = ids
        self._holder = ""

    async def mine(self) -> bool:
        """Whether this process does the work now; for the time of a lease no other does. Raises SpoolError."""
        self._holder = self._holder or self._ids.new()
        return await self._state.try_lease(self._name, self._holder, self._clock.now() + LEASE)
