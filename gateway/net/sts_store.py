"""Policies of MTA-STS that outlive a restart (RFC 8461 section 3.3): in the shared state, behind a memory per worker.

A state that cannot be read is never "nothing is kept", nor is a damaged entry; one that cannot be written, or forgets,
leaves what this worker knows. Left out on purpose: when to fetch, which is `net.mta_sts`'s.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gateway.flow.ports import Clock, SpoolError, StateStore
from gateway.net.cache import ExpiringCache
from gateway.net.sts_memory import Kept, StsMemory

KEY: Final = "sts/"

MAX_DOMAINS: Final = 10_000
"""Domains of which a worker remembers that nothing is kept."""

PAGE: Final = 50
"""Policies that are read at once; each may have 64 KiB."""

NOTHING_FOR: Final = timedelta(minutes=1)
"""How long "nothing is kept" is believed, while another worker may have learned of a policy."""

_LETTERS: Final = "-.0123456789_abcdefghijklmnopqrstuvwxyz"
"""Of domains in A-labels, in the order of keys."""


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
        self._memory = StsMemory(clock)
        self._without: ExpiringCache[str, NotKept] = ExpiringCache(MAX_DOMAINS)

    async def get(self, domain: str) -> Held:
        """What this worker remembers, else what is in the shared state."""
        known = self._memory.get(domain) or self._without.get(domain, self._clock.monotonic())
        return known if known is not None else await self.look(domain)

    async def look(self, domain: str) -> Held:
        """What is in the shared state; what this worker remembers, where that is newer or the state has none."""
        known = self._memory.get(domain)
        try:
            held = self._read(await self._state.get(KEY + domain))
        except SpoolError:
            return known or NotKept.UNREADABLE
        if known is not None and not (isinstance(held, Kept) and held.fetched >= known.fetched):
            # What was kept once counts until it expires, whatever became of the entry; the others learn of it again.
            await self._put(domain, known)
            return known
        self._remember(domain, held)
        return held

    async def keep(self, domain: str, kept: Kept) -> None:
        """Replaces what is kept, in this worker whatever happens."""
        self._remember(domain, kept)
        await self._put(domain, kept)

    async def page(self, after: str) -> Mapping[str, Held]:
        """The first `PAGE` in the shared state whose names come after that one; none at the end, or if unreadable."""
        found: dict[str, bytes] = {}
        try:
            # The state lists what begins with a text: first what is longer than the name, then what branches off it.
            for depth in range(len(after), -1, -1):
                for letter in _LETTERS:
                    if letter > after[depth : depth + 1] and len(found) < PAGE:
                        found |= await self._state.items(KEY + after[:depth] + letter, PAGE - len(found))
        except SpoolError:
            return {}
        return {key.removeprefix(KEY): self._read(value) for key, value in found.items()}

    def _remember(self, domain: str, held: Held) -> None:
        if isinstance(held, Kept):
            self._memory.put(domain, held)
        else:
            self._without.put(domain, held, self._clock.monotonic() + NOTHING_FOR.total_seconds())

    async def _put(self, domain: str, kept: Kept) -> None:
        try:
            await self._state.put(KEY + domain, _KEPT.dump_json(kept), kept.expires)
        except SpoolError:
            # It counts here until it expires; whoever does not know it fetches it for itself.
            return

    def _read(self, stored: bytes | None) -> Held:
        if stored is None:
            return NotKept.NOTHING
        try:
            kept = _KEPT.validate_json(stored)
            return kept if kept.expires > self._clock.now() else NotKept.NOTHING
        except (ValidationError, OverflowError):  # a date that no calendar has
            return NotKept.UNREADABLE
