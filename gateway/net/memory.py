"""What is remembered of each host's STARTTLS, fed by deliveries and probes (RFC 3207; lifetimes as for a DNS answer).

It is a hint for rules and a guard against stripping, never a permission: each delivering connection is checked for
itself. Left out on purpose: keeping it over a restart, and sharing it between workers.
"""

from datetime import timedelta
from typing import Final

from gateway.core.tls import Starttls
from gateway.flow.ports import Clock
from gateway.net.cache import ExpiringCache

LIFETIMES: Final = {
    Starttls.YES: timedelta(hours=1),
    Starttls.NO: timedelta(minutes=15),
    Starttls.UNKNOWN: timedelta(minutes=1),
}

SHOWN_FOR: Final = timedelta(days=7)
"""How long a host that showed TLS is not believed when it no longer offers it: somebody may strip the offer."""

MAX_HOSTS: Final = 50_000
"""Hosts that are remembered; about 200 bytes each."""


class TlsMemory:
    """One entry for each host name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: ExpiringCache[str, Starttls] = ExpiringCache(MAX_HOSTS)
        self._shown: ExpiringCache[str, bool] = ExpiringCache(MAX_HOSTS)

    def note(self, host: str, seen: Starttls) -> None:
        """Takes an observation. One that says nothing does not displace one that does."""
        now = self._clock.monotonic()
        if seen is Starttls.UNKNOWN and self._last.get(host, now) is not None:
            return
        self._last.put(host, seen, now + LIFETIMES[seen].total_seconds())
        if seen is Starttls.YES:
            self._shown.put(host, True, now + SHOWN_FOR.total_seconds())

    def last(self, host: str) -> Starttls | None:
        """What is known now; None where nothing was seen lately."""
        return self._last.get(host, self._clock.monotonic())

    def showed_tls(self, host: str) -> bool:
        """Whether the host completed a handshake within the last days."""
        return self._shown.get(host, self._clock.monotonic()) is not None
