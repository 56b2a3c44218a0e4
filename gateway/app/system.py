"""The real clock, ids and jitter behind the ports of the flow."""

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_LONGEST_NAP: Final = timedelta(minutes=1)
"""The wall clock may be set while one sleeps, so it is looked at again at least this often."""

_LATE: Final = 1.0
"""Seconds by which a sleep may last longer than it was meant to: then the clock was set back."""

_SPREAD: Final = 0.15


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    async def sleep_until(self, when: datetime) -> None:
        """Returns at once for a time in the past, and early if the clock is set back: no sleep gets longer by that."""
        left = when - self.now()
        end = self.monotonic() + left.total_seconds() + _LATE
        while left > timedelta() and self.monotonic() < end:
            await asyncio.sleep(min(left, _LONGEST_NAP).total_seconds())
            left = when - self.now()


class RandomIds:
    """Ids from the operating system's randomness: 128 bits, letters, digits, hyphen and underscore."""

    def new(self) -> str:
        """A fresh id."""
        return secrets.token_urlsafe(16)


class RandomJitter:
    """Spreads retries by 15 per cent either way, so that what failed together does not come back together."""

    def factor(self) -> float:
        """Between 0.85 and 1.15."""
        return random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311  nobody gains by guessing a retry
