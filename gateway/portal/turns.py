"""Turns at sending a form with files: one of a session at a time, two of a reader, so that nobody keeps all others out.

Another form of theirs waits a moment, unread: a double click sends the same form twice, and the browser shows the
answer to the second. Left out on purpose: how much all forms hold (`gateway.portal.uploads`).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from gateway.portal.form_parts import NotTaken, Trouble

_OF_SESSION: Final = 1
_OF_READER: Final = 2
_PATIENCE: Final = 10.0
"""Seconds that a form waits for those before it."""


class Turns:
    """Of one process; remembered are those alone who have one or wait for one."""

    def __init__(self) -> None:
        self._gates: WeakValueDictionary[tuple[str, int], asyncio.Semaphore] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._gates)

    @asynccontextmanager
    async def taking(self, session: str, reader: str) -> AsyncGenerator[None]:
        """Has a turn for as long as it is entered. Raises NotTaken if it does not come in time."""
        gates = self._gate(session, _OF_SESSION), self._gate(reader, _OF_READER)
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(_PATIENCE):
                    for gate in gates:
                        await turn.enter_async_context(gate)
            except TimeoutError:
                raise NotTaken(Trouble.BUSY) from None
            yield

    def _gate(self, name: str, most: int) -> asyncio.Semaphore:
        return self._gates.setdefault((name, most), asyncio.Semaphore(most))
