"""How often something may happen: for an address, and for a link. In memory, of one process, and bounded.

Left out on purpose: limits of guessing a code, which are the store's, because they have to hold over restarts.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Final

_MOST: Final = 10_000


class Act(Enum):
    """What is limited: so many times in so many seconds for an address, behind which a whole office may be."""

    LOOK = 120, 60.0
    CODE = 10, 600.0
    OPEN = 20, 60.0
    REPLY = 10, 600.0
    FETCH = 240, 60.0
    NOTE = 1, 3600.0

    @property
    def times(self) -> int:
        """How often."""
        return self.value[0]

    @property
    def seconds(self) -> float:
        """In which time."""
        return self.value[1]

    @property
    def again(self) -> int:
        """Seconds after which it may happen once more."""
        return math.ceil(self.seconds / self.times)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limits:
    """A bucket for each act and each who; the one that was not used for longest goes when there are too many."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._now = monotonic
        self._buckets: OrderedDict[tuple[Act, str], _Bucket] = OrderedDict()

    def allows(self, act: Act, who: str) -> bool:
        """Whether it may happen once more; it is counted."""
        return self._takes(act, who, act.times)

    def allows_link(self, act: Act, token: str) -> bool:
        """Likewise for a link, which one person has, or a few: half as often."""
        # What is called a token may be as long as a request.
        return self._takes(act, hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest(), act.times / 2)

    def _takes(self, act: Act, who: str, times: float) -> bool:
        now, key = self._now(), (act, who)
        bucket = self._buckets.pop(key, None) or _Bucket(times, now)
        bucket.left = min(times, bucket.left + (now - bucket.at) * times / act.seconds)
        bucket.at = now
        self._buckets[key] = bucket
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True


def place_of(address: str) -> str:
    """What counts as one visitor: an address, and of IPv6 the network that a customer gets."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None or found.version == 4:
        return str(mapped or found)
    return str(ip_network((found, 64), strict=False))
