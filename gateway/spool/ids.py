"""Queue ids: three digits of shard, a hyphen, the time of acceptance in microseconds, and a mark of this opening.

Ids of one shard sort by time even when the clock stands still or steps back, and two openings of a shard in the same
microsecond differ by their mark. They are names, not secrets: nothing may be granted because an id was guessed.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.core.record import QueueId
from gateway.flow.ports import Clock

# In ASCII order, so that the text sorts as the number does; one case, so that no file system or person mixes two up.
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_TIME_DIGITS: Final = 11  # 55 bits of microseconds last until the year 3111.
_MARK_DIGITS: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class QueueIds:
    """Makes the ids of one shard; ``shard`` is 0 to 999."""

    def __init__(self, shard: int, clock: Clock) -> None:
        if not 0 <= shard <= 999:
            raise ValueError("a shard has at most three digits")
        self._prefix = f"{shard:03d}-"
        self._mark = _encode(secrets.randbelow(32**_MARK_DIGITS), _MARK_DIGITS)
        self._clock = clock
        self._last = 0

    def new(self) -> QueueId:
        """A fresh id, greater than every earlier one of this object."""
        now = (self._clock.now() - _EPOCH) // timedelta(microseconds=1)
        self._last = max(now, self._last + 1)
        return QueueId(self._prefix + _encode(self._last, _TIME_DIGITS) + self._mark)


def shard_of(queue_id: str) -> int | None:
    """The shard that an id names, or None for a text that is no queue id."""
    digits, hyphen, rest = queue_id.partition("-")
    if len(digits) != 3 or not (digits.isascii() and digits.isdigit()) or not hyphen or not rest:
        return None
    return int(digits)


def _encode(number: int, digits: int) -> str:
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (digits - 1), -1, -5))
