"""Conditions on what is attached, who can see whom, where the message came in, and when."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from gateway.core.address import BadAddress, parse_domain
from gateway.core.conditions.base import Condition, Seen, certain
from gateway.core.conditions.once import Same
from gateway.core.decision import Truth
from gateway.core.domains import DomainSet, Group

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AttachmentCountIsOver(Condition):
    """More than ``limit`` files are attached; equal passes."""

    limit: int

    def truth(self, seen: Seen) -> Truth:
        return certain(len(seen.facts.attachments) > self.limit)

    def why(self, seen: Seen) -> str:
        count = len(seen.facts.attachments)
        return f"{count or 'no'} files are attached, {'over' if count > self.limit else 'not over'} {self.limit}"


@dataclass(frozen=True, slots=True)
class ListenerIs(Condition):
    """The message came in by one of the listeners."""

    listeners: frozenset[str]

    def truth(self, seen: Seen) -> Truth:
        return certain(seen.facts.listener in self.listeners)

    def why(self, seen: Seen) -> str:
        return f"it came in by the listener {seen.facts.listener or 'without a name'}"


@dataclass(frozen=True, slots=True)
class VisibleOver(Condition):
    """More than ``limit`` outside addresses see each other in To and Cc; equal passes (R4).

    The domain with most of them is left aside, because colleagues may know each other, unless it is one of
    ``free_mail``, where they are none. Addresses that nobody kept the text of count as outside.
    """

    limit: int
    inside: Group
    free_mail: DomainSet

    def truth(self, seen: Seen) -> Truth:
        facts = seen.facts
        if len(facts.visible) + facts.visible_more <= self.limit:
            return Truth.NO_MATCH
        return certain(self._count(seen) > self.limit)

    def why(self, seen: Seen) -> str:
        count = self._count(seen)
        over = "over" if count > self.limit else "not over"
        return f"{count} outside addresses of several organisations are visible in To and Cc, {over} {self.limit}"

    def _count(self, seen: Seen) -> int:
        return _strangers(Same(seen.facts.visible), self.inside.domains, self.free_mail) + seen.facts.visible_more


@lru_cache(maxsize=8)
def _strangers(visible: Same[tuple[str, ...]], inside: DomainSet, free_mail: DomainSet) -> int:
    """The outside addresses without those of the largest organisation; the same for every recipient of a message."""
    outside = Counter(domain for domain in _domains(visible.value) if domain not in inside)
    colleagues = max((count for domain, count in outside.items() if domain not in free_mail), default=0)
    return outside.total() - colleagues


def _domains(addresses: tuple[str, ...]) -> Iterator[str]:
    """The domain of each address, one that stands there twice once; one that cannot be read has no colleagues."""
    for address in {each.casefold() for each in addresses}:
        try:
            yield parse_domain(address.rpartition("@")[2])
        except BadAddress:
            yield address


@dataclass(frozen=True, slots=True)
class TimeIs(Condition):
    """The message was read between ``begin`` and ``end`` (which is outside) on one of ``days``, by clocks of ``zone``.

    A window over midnight belongs to the day on which it begins. ``days`` count from Monday, which is 0.
    """

    begin: time
    end: time
    days: frozenset[int]
    zone: tzinfo

    def __post_init__(self) -> None:
        if self.begin == self.end:
            raise ValueError("a window that begins when it ends is never, or always")

    def truth(self, seen: Seen) -> Truth:
        here = seen.facts.at.astimezone(self.zone)
        clock = here.time()
        if self.begin < self.end:
            return certain(self.begin <= clock < self.end and here.weekday() in self.days)
        if clock >= self.begin:
            return certain(here.weekday() in self.days)
        return certain(clock < self.end and (here - _ONE_DAY).weekday() in self.days)

    def why(self, seen: Seen) -> str:
        here = seen.facts.at.astimezone(self.zone)
        days = "" if len(self.days) == len(DAYS) else f" on {', '.join(DAYS[day] for day in sorted(self.days))}"
        inside = "within" if self.truth(seen) is Truth.MATCH else "not within"
        window = f"{self.begin:%H:%M} to {self.end:%H:%M}{days}"
        return f"it is {DAYS[here.weekday()]} {here:%H:%M}, {inside} {window}"
