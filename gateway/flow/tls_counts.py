"""One worker's counts of TLS sessions, written to the shared state now and then for the report of their day (RFC 8460).

Each writer keeps its counts of a domain and a UTC day under a key of its own and writes them whole, so no two ever
write the same, and what could not be written is in the next value. Left out on purpose: who is told of it, which is
`flow.tls_reports`'s.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.core.tls_count import PolicyCount, SessionCount, without_places, without_policies
from gateway.core.tlsrpt import SessionSeen
from gateway.flow.ports import Clock, Ids, StateStore

MAX_KINDS: Final = 10_000
"""Kinds of sessions that one worker tells apart on one day; a domain has one or two.

Mostly a few hundred bytes each, and 4 KiB at most (`core.tls_count` cuts policies), so 40 MiB if all are made to be so.
"""
CLOSES: Final = timedelta(hours=1)
"""After the end of a day its counts can still be written so long; only then is it reported."""

_PREFIX: Final = "tlsrpt/"
_KEEP: Final = timedelta(days=2)
"""After the end of the day; longer than anybody is tried."""
_MAX_BYTES: Final = 60 * 1024
"""Of one value; the state takes 64 KiB."""
_COUNTS: Final = TypeAdapter(tuple[PolicyCount, ...])


class NoSessions:
    """For a gateway that reports to nobody: nothing is counted."""

    def note(self, seen: SessionSeen) -> None:
        """Forgets it."""


@dataclass(slots=True)
class _Day:
    """What one worker counted on one day, by domain; ``unwritten`` names the domains with something new."""

    counts: dict[str, SessionCount] = field(default_factory=dict)
    kinds: int = 0
    unwritten: set[str] = field(default_factory=set)

    def note(self, seen: SessionSeen) -> bool:
        """Counts one; False if there is no room for its domain any more."""
        room = self.kinds < MAX_KINDS
        if seen.domain not in self.counts and not room:
            return False
        count = self.counts.setdefault(seen.domain, SessionCount(seen.domain))
        self.kinds -= count.kinds
        count.note(seen, room=room)
        self.kinds += count.kinds
        self.unwritten.add(seen.domain)
        return True


class TlsCounts:
    """Counts all sessions, also those of domains that want no report: who does is asked once a day."""

    def __init__(self, state: StateStore, clock: Clock, ids: Ids) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids
        self._name = ""
        self._days: dict[date, _Day] = {}
        self._writing = asyncio.Lock()
        self.lost = 0
        """At most so many sessions are in no report: there were too many domains, or they could not be kept in time."""

    def note(self, seen: SessionSeen) -> None:
        """Takes one; never raises, never waits. Who is reached by an address alone publishes no wish to hear of it."""
        if not seen.domain.startswith("["):
            day = self._days.setdefault(self._clock.now().date(), _Day())
            self.lost += not day.note(seen)

    async def write(self) -> None:
        """Writes what is new; what cannot be written waits for the next time. Raises SpoolError."""
        async with self._writing:
            for date_, day in sorted(self._days.items()):
                if self._clock.now() < ends(date_) + CLOSES:
                    await self._write(date_, day)
                else:
                    self._give_up(day)
                if self._clock.now() >= ends(date_) and not day.unwritten:
                    del self._days[date_]

    async def _write(self, date_: date, day: _Day) -> None:
        self._name = self._name or self._ids.new()
        domains, day.unwritten = day.unwritten, set()
        values = {f"{key_of(date_, domain)}{self._name}": _encoded(domain, day.counts[domain]) for domain in domains}
        try:
            await self._state.put_many(values, ends(date_) + _KEEP)
        except BaseException:
            day.unwritten |= domains
            raise

    def _give_up(self, day: _Day) -> None:
        """The day is reported by now, and must not be reported twice."""
        self.lost += sum(_sessions(day.counts[domain]) for domain in day.unwritten)
        day.unwritten.clear()


def ends(day: date) -> datetime:
    """The midnight at the end of the day."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def key_of(day: date, domain: str = "") -> str:
    """What the keys of a day begin with, or those of a domain on that day."""
    return f"{_PREFIX}{day}/{domain}/" if domain else f"{_PREFIX}{day}/"


def read_counts(value: bytes) -> tuple[PolicyCount, ...]:
    """What a writer counted; nothing for what is damaged, and for what a newer gateway may have written."""
    try:
        return _COUNTS.validate_json(value)
    except ValidationError:
        return ()


def _encoded(domain: str, count: SessionCount) -> bytes:
    """As much detail as a value has room for; the numbers are always whole."""
    whole = count.policies()
    for counted in (whole, without_places(whole)):
        if len(data := _COUNTS.dump_json(counted)) <= _MAX_BYTES:
            return data
    return _COUNTS.dump_json(without_policies(domain, whole))


def _sessions(count: SessionCount) -> int:
    return sum(one.good + one.failed for one in count.policies())
