"""Policies of MTA-STS that one worker remembers, within a size in all: who publishes large ones displaces, never fills.

Left out on purpose: what the workers share, which is `net.sts_store`'s.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime

from gateway.core.sts import StsPolicy
from gateway.flow.ports import Clock

MAX_BYTES: Final = 32 * 1024 * 1024
"""Of all of them; most have 1 KiB, the largest 64 KiB."""

SHORTEST: Final = timedelta(minutes=5)
"""A policy that wants to be kept for less is kept so long, so that not every message fetches it."""

_FRAME: Final = 1024
_PATTERN: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A policy, the id under which it was announced, and when it was fetched."""

    id: str
    policy: StsPolicy
    fetched: AwareDatetime
    version: Literal[1] = 1

    @property
    def expires(self) -> datetime:
        """When it no longer counts."""
        return self.fetched + max(self.policy.max_age, SHORTEST)

    def is_half_over(self, now: datetime) -> bool:
        """Whether it is time for a fresh one (RFC 8461 section 3.3 wants that ahead of the end)."""
        return now >= self.fetched + (self.expires - self.fetched) / 2


class StsMemory:
    """One policy for each domain; the one that was read longest ago makes room."""

    def __init__(self, clock: Clock, limit: int = MAX_BYTES) -> None:
        self._clock = clock
        self._limit = limit
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._size = 0

    def get(self, domain: str) -> Kept | None:
        """The policy, None if there is none or its time is over."""
        kept = self._kept.get(domain)
        if kept is None or kept.expires <= self._clock.now():
            self._drop(domain)
            return None
        self._kept.move_to_end(domain)
        return kept

    def put(self, domain: str, kept: Kept) -> None:
        """Remembers it in place of an earlier one."""
        self._drop(domain)
        self._kept[domain] = kept
        self._size += _size(kept)
        while self._size > self._limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, domain: str) -> None:
        kept = self._kept.pop(domain, None)
        if kept is not None:
            self._size -= _size(kept)


def _size(kept: Kept) -> int:
    """About what it takes in memory."""
    return _FRAME + sum(_PATTERN + len(pattern) for pattern in kept.policy.mx)
