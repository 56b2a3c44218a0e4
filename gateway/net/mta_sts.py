"""MTA-STS: the policy that is in force for a recipient domain (RFC 8461 sections 3.3 and 5.1), looked up and kept.

An unexpired policy outlives every failure to find it again: whoever can suppress DNS or HTTPS must not end it. Left
out on purpose: what follows from a policy, which is `core.demand`'s, and policies of parent domains (there are none).
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from gateway.core.sts import (
    BadPolicy,
    BadRecord,
    NoSts,
    StsFacts,
    StsFound,
    StsPolicy,
    StsUnknown,
    read_policy,
    read_record,
)
from gateway.core.tlsrpt import Result
from gateway.flow.ports import Clock, StateStore
from gateway.net.answers import Unresolvable
from gateway.net.cache import ExpiringCache, SingleFlight
from gateway.net.dns import Resolver
from gateway.net.sts_attempts import Attempts
from gateway.net.sts_fetch import Fetch, NotFetched
from gateway.net.sts_memory import Kept
from gateway.net.sts_store import MAX_DOMAINS, PAGE, Held, NotKept, StsStore

LOOK_EVERY: Final = timedelta(days=1)
"""Between two looks of `refresh` at a policy (RFC 8461 section 3.3 suggests a day)."""

RETRY_EVERY: Final = timedelta(hours=1)
"""Between two looks at one whose time is half over, because it could not be fetched anew."""

PER_ROUND: Final = 500
"""Domains that are looked at in one round of `refresh`."""

PAGES: Final = 40
"""Of kept policies that are read in one round to find them."""

AT_ONCE: Final = 10
"""Domains of a round at the same time, so that slow hosts do not hold up all others."""

OnFailure: TypeAlias = Callable[[str, Result, str], None]
"""Hears each fetch that failed: the domain, what TLSRPT calls it, and a clause. It never raises and never waits."""

_Record: TypeAlias = str | NoSts | BadRecord | Unresolvable


def _tell_nobody(domain: str, result: Result, reason: str) -> None:
    """Where nobody reports."""


class Sts:
    """Finds policies; one object for each worker."""

    def __init__(
        self, resolver: Resolver, fetch: Fetch, state: StateStore, clock: Clock, on_failure: OnFailure = _tell_nobody
    ) -> None:
        self._resolver = resolver
        self._fetch = fetch
        self._clock = clock
        self._on_failure = on_failure
        self._store = StsStore(state, clock)
        self._flights: SingleFlight[str, StsFacts] = SingleFlight()
        self._attempts = Attempts(clock)
        self._looked: ExpiringCache[str, float] = ExpiringCache(MAX_DOMAINS)
        self._read_to = ""

    async def facts(self, domain: str) -> StsFacts:
        """What is known of a recipient domain (A-labels, or an address literal, which has none); never raises."""
        if domain.startswith("["):
            return NoSts.NONE
        record = await self._record(domain)
        held = await self._store.get(domain)
        if isinstance(held, Kept) and held.id == record:
            return _found(domain, held)
        if isinstance(record, str):
            return await self._flights.run(domain, lambda: self._announced(domain, record))
        return _without_record(domain, record, held)

    async def refresh(self) -> None:
        """One round over the kept policies: looks at those whose turn it is, and fetches what is new or half over."""
        slots = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for domain in await self._due():
                group.create_task(self._look_again(domain, slots))

    async def _announced(self, domain: str, id: str) -> StsFacts:
        """An id that this worker has no policy for: another one may have it already."""
        held = await self._store.look(domain)
        if isinstance(held, Kept) and held.id == id:
            return _found(domain, held)
        return await self._replaced(domain, id, held)

    async def _replaced(self, domain: str, id: str, held: Held) -> StsFacts:
        """The policy of that id in place of the held one, which stays where no other can be had."""
        fetched = await self._fetched(domain, id)
        if isinstance(fetched, Kept):
            return _found(domain, fetched)
        return _found(domain, held) if isinstance(held, Kept) else StsUnknown(fetched.reason)

    async def _fetched(self, domain: str, id: str) -> Kept | NotFetched:
        too_early = self._attempts.too_early(domain, id)
        if too_early is not None:
            return too_early
        policy = await self._fetched_policy(domain)
        self._attempts.note(domain, id, policy if isinstance(policy, NotFetched) else None)
        if isinstance(policy, NotFetched):
            self._on_failure(domain, policy.result, policy.reason)
            return policy
        kept = Kept(id=id, policy=policy, fetched=self._clock.now())
        await self._store.keep(domain, kept)
        return kept

    async def _fetched_policy(self, domain: str) -> StsPolicy | NotFetched:
        body = await self._fetch(domain)
        policy = body if isinstance(body, NotFetched) else read_policy(body)
        if isinstance(policy, BadPolicy):
            return NotFetched(Result.STS_INVALID, f"the MTA-STS policy of {domain} is not valid: {policy.reason}")
        return policy

    async def _record(self, domain: str) -> _Record:
        texts = await self._resolver.texts(f"_mta-sts.{domain}")
        return texts if isinstance(texts, Unresolvable) else read_record(texts)

    def _last_look(self, domain: str) -> float:
        look = self._looked.get(domain, self._clock.monotonic())
        return look if look is not None else float("-inf")

    async def _due(self) -> list[str]:
        """Whose turn it is. Reading goes on where the last round ended, so nobody waits for ever behind others."""
        due: list[str] = []
        for _ in range(PAGES):
            page = await self._store.page(self._read_to)
            for domain, held in page.items():
                self._read_to = domain
                if self._is_due(domain, held):
                    due.append(domain)
                if len(due) == PER_ROUND:
                    return due
            if len(page) < PAGE:
                self._read_to = ""
                break
        return due

    def _is_due(self, domain: str, held: Held) -> bool:
        if not isinstance(held, Kept):
            return False
        rests = RETRY_EVERY if held.is_half_over(self._clock.now()) else LOOK_EVERY
        return self._clock.monotonic() - self._last_look(domain) >= rests.total_seconds()

    async def _look_again(self, domain: str, slots: asyncio.Semaphore) -> None:
        async with slots:
            now = self._clock.monotonic()
            self._looked.put(domain, now, now + LOOK_EVERY.total_seconds())
            record, held = await self._record(domain), await self._store.look(domain)
            # A domain that no longer announces its policy lets it expire; one that cannot be asked may be cut off from
            # us by somebody, and the policy host still proves who it is.
            if record is NoSts.NONE or not isinstance(held, Kept):
                return
            id = record if isinstance(record, str) else held.id
            if id != held.id or held.is_half_over(self._clock.now()):
                await self._flights.run(domain, lambda: self._replaced(domain, id, held))


def _found(domain: str, kept: Kept) -> StsFound:
    return StsFound(domain, kept.id, kept.policy)


def _without_record(domain: str, record: NoSts | BadRecord | Unresolvable, held: Held) -> StsFacts:
    """What holds where no policy is announced: the kept one, to its end."""
    if isinstance(held, Kept):
        return _found(domain, held)
    match record:
        case NoSts():
            return NoSts.NONE if held is NotKept.NOTHING else StsUnknown(held.value)
        case BadRecord():
            return StsUnknown(f"{domain} announces no usable MTA-STS policy: {record.reason}")
        case Unresolvable():
            return StsUnknown(record.reason)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(record)
