"""When a deferred recipient is tried again: exponential, spread, never past a deadline (RFC 5321 section 4.5.4.1).

Left out on purpose: the back-off of a whole destination, which is the dispatcher's (`flow.traffic`) and not stored.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# A doubling more would pass any sensible ceiling, and timedelta overflows where an integer would not.
_MOST_DOUBLINGS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The first wait, and the wait that doubling ends at."""

    first: timedelta
    most: timedelta


def delay(attempts: int, backoff: Backoff, factor: float) -> timedelta:
    """The wait after that many attempts (at least one). ``factor`` spreads it, so that a restart is no stampede."""
    doublings = min(max(attempts, 1) - 1, _MOST_DOUBLINGS)
    return min(backoff.first * 2**doublings, backoff.most) * factor


def next_try(now: datetime, wait: timedelta, instants: tuple[datetime, ...]) -> datetime:
    """``now`` plus ``wait``, or the first of the ``instants`` ahead of it that lies nearer.

    The instants are those at which something falls due for the row (its notice, its deadline, its end): each finds
    the recipient attempted, so that what is said of it then is fresh.
    """
    return min([now + wait, *(instant for instant in instants if instant > now)])
