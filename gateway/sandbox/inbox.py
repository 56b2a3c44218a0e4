"""What has arrived in the sandbox's world: the newest messages, in memory, within two limits.

Left out on purpose: keeping them over a restart; the inbox is for looking, not for storing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from gateway.sandbox.arrival import Arrival

MAX_MESSAGES: Final = 1000
MAX_BYTES: Final = 256 * 1024 * 1024
"""Room for the largest message that a host takes (150 MiB), and for the page to stay readable."""


class Inbox:
    """Keeps arrivals by id; the oldest go first when there are more than ``max_messages`` or ``max_bytes``."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._arrivals: OrderedDict[str, Arrival] = OrderedDict()
        self._bytes = 0
        self._numbered = 0
        self._changed = asyncio.Event()

    def next_id(self) -> str:
        """A fresh id, in the order of arrival."""
        self._numbered += 1
        return f"{self._numbered:06d}"

    def add(self, arrival: Arrival) -> None:
        """Keeps a message, and forgets the oldest as the limits ask; the newest is always kept."""
        self._arrivals[arrival.id] = arrival
        self._bytes += len(arrival.content)
        while len(self._arrivals) > 1 and self._is_over():
            _, oldest = self._arrivals.popitem(last=False)
            self._bytes -= len(oldest.content)
        self._changed.set()
        self._changed = asyncio.Event()

    def _is_over(self) -> bool:
        return len(self._arrivals) > self._max_messages or self._bytes > self._max_bytes

    def get(self, id: str) -> Arrival | None:
        """The message of that id, if it is still there."""
        return self._arrivals.get(id)

    def newest(self) -> tuple[Arrival, ...]:
        """All messages, newest first."""
        return tuple(reversed(self._arrivals.values()))

    def to(self, address: str) -> tuple[Arrival, ...]:
        """The messages that arrived for an address, newest first."""
        return tuple(arrival for arrival in self.newest() if address in arrival.rcpt_to)

    async def wait(self, enough: Callable[["Inbox"], bool], within: timedelta) -> None:
        """Returns as soon as ``enough`` holds. Raises TimeoutError after ``within``."""
        async with asyncio.timeout(within.total_seconds()):
            while not enough(self):
                await self._changed.wait()
