"""What is remembered of each host's STARTTLS: by each worker for an hour, and of its success by all of them for days.

The first is a hint for rules. The second guards against stripping: a host that completed a handshake is not believed
when it offers none (RFC 3207 section 6). Neither is a permission: each delivering connection is checked for itself.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from gateway.core.tls import Starttls
from gateway.flow.ports import Clock, SpoolError, StateStore
from gateway.net.cache import ExpiringCache

LIFETIMES: Final = {
    Starttls.YES: timedelta(hours=1),
    Starttls.NO: timedelta(minutes=15),
    Starttls.UNKNOWN: timedelta(minutes=1),
}

REMEMBER: Final = timedelta(days=7)
"""How long a host that showed TLS is not believed when it no longer offers it, where nobody says otherwise."""

WRITE_EVERY: Final = timedelta(days=1)
"""A host's success is written down again after that time; it is remembered for as much longer."""

MAX_HOSTS: Final = 50_000
"""Hosts that are remembered; about 200 bytes each."""

PAUSE: Final = timedelta(minutes=1)
"""After the shared memory could not be written."""


class TlsMemory:
    """One entry for each host name; `run` writes down what all workers shall know.

    ``remember`` is how long a host's success counts; a reload may change it.
    """

    def __init__(
        self,
        clock: Clock,
        state: StateStore,
        remember: timedelta = REMEMBER,
        lives: Mapping[Starttls, timedelta] = LIFETIMES,
    ) -> None:
        self._clock = clock
        self._state = state
        self.remember = remember
        self._lives = lives
        self._last: ExpiringCache[str, Starttls] = ExpiringCache(MAX_HOSTS)
        self._shown: ExpiringCache[str, bool] = ExpiringCache(MAX_HOSTS)
        self._written: ExpiringCache[str, bool] = ExpiringCache(MAX_HOSTS)
        self._waiting: dict[str, None] = {}
        self._work = asyncio.Event()

    def note(self, host: str, seen: Starttls) -> None:
        """Takes an observation. One that says nothing does not displace one that does."""
        now = self._clock.monotonic()
        if seen is Starttls.UNKNOWN and self._last.get(host, now) is not None:
            return
        self._last.put(host, seen, now + self._lives[seen].total_seconds())
        if seen is Starttls.YES and self.remember:
            self._shown.put(host, True, now + self.remember.total_seconds())
            if self._written.get(host, now) is None and len(self._waiting) < MAX_HOSTS:
                self._waiting[host] = None
                self._work.set()

    def last(self, host: str) -> Starttls | None:
        """What is known now; None where nothing was seen lately."""
        return self._last.get(host, self._clock.monotonic())

    async def shown(self, host: str) -> Starttls:
        """Whether the host completed a handshake within the last days, with any worker; UNKNOWN if none can say."""
        if self._shown.get(host, self._clock.monotonic()) is not None:
            return Starttls.YES
        if not self.remember:
            return Starttls.NO
        try:
            found = await self._state.get(_key(host))
        except SpoolError:
            return Starttls.UNKNOWN
        return Starttls.NO if found is None else Starttls.YES

    async def run(self) -> None:
        """Writes what waits, until it is cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            if not await self.write():
                self._work.set()
                await self._clock.sleep_until(self._clock.now() + PAUSE)

    async def write(self) -> bool:
        """Writes what waits now; False if that cannot be done, and then it waits on."""
        waiting = dict(self._waiting)
        if not waiting:
            return True
        try:
            until = self._clock.now() + self.remember + WRITE_EVERY
            await self._state.put_many({_key(host): b"1" for host in waiting}, until)
        except SpoolError:
            return False
        now = self._clock.monotonic()
        for host in waiting:
            self._waiting.pop(host, None)
            self._written.put(host, True, now + WRITE_EVERY.total_seconds())
        return True


def _key(host: str) -> str:
    return f"tls/{host}"
