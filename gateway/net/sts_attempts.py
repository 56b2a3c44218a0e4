"""How often the policy of a domain may be fetched, for one worker (RFC 8461 section 3.3), whatever its records say.

Left out on purpose: what the workers do together; each of them keeps to this for itself.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.core.tlsrpt import Result
from gateway.flow.ports import Clock
from gateway.net.cache import ExpiringCache
from gateway.net.sts_fetch import NotFetched

NOT_AGAIN_FOR: Final = timedelta(minutes=5)
"""Between two fetches of a policy that failed, unless its id changes (RFC 8461 section 3.3)."""

NEVER_AGAIN_FOR: Final = timedelta(minutes=1)
"""Between two fetches for a domain, whatever its id does: it may be another one in each answer of DNS."""

_MAX_DOMAINS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The last fetch for a domain, and what came of it if that was no policy."""

    id: str
    at: float
    failure: NotFetched | None


class Attempts:
    """The last fetch for each domain."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: ExpiringCache[str, _Attempt] = ExpiringCache(_MAX_DOMAINS)

    def note(self, domain: str, id: str, failure: NotFetched | None) -> None:
        """A fetch has ended just now."""
        now = self._clock.monotonic()
        self._last.put(domain, _Attempt(id, now, failure), now + NOT_AGAIN_FOR.total_seconds())

    def too_early(self, domain: str, id: str) -> NotFetched | None:
        """Why the policy of that id is not fetched now; None: it may be."""
        now = self._clock.monotonic()
        last = self._last.get(domain, now)
        if last is None:
            return None
        if now - last.at >= NEVER_AGAIN_FOR.total_seconds():
            return last.failure if last.id == id else None
        return last.failure or NotFetched(Result.STS_FETCH, f"the MTA-STS policy of {domain} was fetched a moment ago")
