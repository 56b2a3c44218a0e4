"""Policies of MTA-STS that outlive a restart (RFC 8461 section 3.3): in the shared state, behind a memory per worker.

A state that cannot be read is never "nothing is kept"; one that cannot be written leaves what this worker knows. A
damaged entry counts as none, so that the policy is fetched again. Left out on purpose: when to fetch, `net.mta_sts`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Literal, TypeAlias

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from gateway.core.sts import StsPolicy
from gateway.flow.ports import Clock, SpoolError, StateStore
from gateway.net.cache import ExpiringCache

KEY: Final = "sts/"

MAX_DOMAINS: Final = 10_000
"""Domains that a worker remembers, and kept policies that are listed; about 1 KiB each."""

SHORTEST: Final = timedelta(minutes=5)
"""A policy that wants to be kept for less is kept so long, so that not every message fetches it."""

NOTHING_FOR: Final = timedelta(minutes=1)
"""How long "nothing is kept" is believed, while another worker may have learned of a policy."""


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


class NotKept(Enum):
    """Why there is none."""

    NOTHING = "nothing is kept"
    UNREADABLE = "the kept policies cannot be read"


Held: TypeAlias = Kept | NotKept

_KEPT: Final = TypeAdapter(Kept)


class StsStore:
    """One entry for each domain, given as A-labels."""

    def __init__(self, state: StateStore, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._memory: ExpiringCache[str, Held] = ExpiringCache(MAX_DOMAINS)

    async def get(self, domain: str) -> Held:
        """What this worker remembers, else what is in the shared state."""
        known = self._memory.get(domain, self._clock.monotonic())
        return known if known is not None else await self.look(domain)

    async def look(self, domain: str) -> Held:
        """What is in the shared state; what this worker remembers where that cannot be read."""
        try:
            stored = await self._state.get(KEY + domain)
        except SpoolError:
            known = self._memory.get(domain, self._clock.monotonic())
            return known if known is not None else NotKept.UNREADABLE
        held = self._read(stored)
        self._remember(domain, held)
        return held

    async def keep(self, domain: str, kept: Kept) -> None:
        """Replaces what is kept, in this worker whatever happens."""
        self._remember(domain, kept)
        try:
            await self._state.put(KEY + domain, _KEPT.dump_json(kept), kept.expires)
        except SpoolError:
            # It counts here until it expires; whoever does not know it fetches it for itself.
            return

    async def all(self) -> Mapping[str, Kept]:
        """What is in the shared state; nothing where that cannot be read."""
        try:
            stored = await self._state.items(KEY, MAX_DOMAINS)
        except SpoolError:
            return {}
        held = {key.removeprefix(KEY): self._read(value) for key, value in stored.items()}
        return {domain: kept for domain, kept in held.items() if isinstance(kept, Kept)}

    def _remember(self, domain: str, held: Held) -> None:
        now = self._clock.monotonic()
        holds = held.expires - self._clock.now() if isinstance(held, Kept) else NOTHING_FOR
        self._memory.put(domain, held, now + holds.total_seconds())

    def _read(self, stored: bytes | None) -> Held:
        if stored is None:
            return NotKept.NOTHING
        try:
            kept = _KEPT.validate_json(stored)
            return kept if kept.expires > self._clock.now() else NotKept.NOTHING
        except (ValidationError, OverflowError):  # a date that no calendar has
            return NotKept.NOTHING
