"""How much is under way: altogether, and to each next hop; and which next hops are left alone for a while.

One for the worker, shared by the loops of all its spools. A next hop that could not be reached is paused, then tried
with one delivery at a time until one reaches it; the rows that wait for it never fill the places of others. Where all
places are taken, deliveries that wait on somebody else linger: they give theirs up. Nothing of this is stored: a row's
own next attempt is `core.retry`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from gateway.flow.options import QueueOptions

_MOST_PAUSED: Final = 1000
"""Next hops that are remembered as unreachable; beyond it the one whose pause ends first is forgotten."""
_MOST_LINGERING: Final = 1000
"""Deliveries; each costs a socket and little work."""
_MOST_BYTES: Final = 64 * 1024 * 1024
"""What lingering deliveries may hold in memory."""
_BLOCK: Final = 256 * 1024
"""The most that one of them holds."""
_FIRST_PAUSE: Final = 8
"""The first pause is this part of ``retry_min``, the longest is all of it: a deadline is late by no more than that."""


class Contact(Enum):
    """What a delivery says of its next hop, whatever became of the message."""

    REACHED = "reached"
    UNREACHED = "unreached"
    UNTRIED = "untried"


@dataclass(slots=True)
class _Hop:
    """``failures`` in a row; while there are any, one delivery at a time."""

    active: int = 0
    failures: int = 0
    paused_until: datetime | None = None


@dataclass(slots=True)
class Traffic:
    """``on_room`` are the loops to wake when there is room again where there was none."""

    options: QueueOptions
    active: int = 0
    lingering: int = 0
    on_room: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _hops: dict[str, _Hop] = field(default_factory=dict[str, _Hop])
    _full: bool = False
    _lingering_bytes: int = 0

    def room(self) -> int:
        """How many leases may be claimed at once; 0 is a standstill, whose end wakes the loops.

        Half of what one next hop may have, so that a claim never overfills it: a hop that has more than the other half
        under way is passed over.
        """
        free = self.options.in_flight - self.active
        # Not forgotten at the first free place: one loop may take that while another one still waits.
        self._full = self._full or free <= 0
        return min(self._half(), max(free, 0))

    def blocked(self, now: datetime) -> frozenset[str]:
        """The next hops that a claim passes over now."""
        return frozenset(name for name, hop in self._hops.items() if self._is_blocked(hop, now))

    def begin(self, name: str, now: datetime) -> bool:
        """Takes a place; False if the next hop turns out to have none left, or to be paused."""
        hop = self._hops.setdefault(name, _Hop())
        most = 1 if hop.failures else self.options.per_destination
        if hop.active >= most or (hop.paused_until is not None and hop.paused_until > now):
            return False
        hop.active += 1
        self.active += 1
        return True

    def linger(self, size: int) -> int:
        """Gives a place up, though its delivery of so many bytes goes on; returns what `end` is told, 0 if too many do.

        A host that says nothing would keep its place for minutes, and a few hundred of them every place there is.
        """
        held = max(1, min(size, _BLOCK))
        if self.lingering >= _MOST_LINGERING or self._lingering_bytes + held > _MOST_BYTES:
            return 0
        self.active -= 1
        self.lingering += 1
        self._lingering_bytes += held
        if self._has_room_again():
            self._wake_all()
        return held

    def end(self, name: str, contact: Contact, now: datetime, lingered: int = 0) -> None:
        """Gives the place back, and wakes the loops if somebody may have waited for it or a pause began."""
        hop = self._hops[name]
        was_blocked = self._is_blocked(hop, now)
        hop.active -= 1
        if lingered:
            self.lingering -= 1
            self._lingering_bytes -= lingered
        else:
            self.active -= 1
        match contact:
            case Contact.REACHED:
                hop.failures, hop.paused_until = 0, None
            case Contact.UNREACHED:
                self._pause(hop, now)
            case Contact.UNTRIED:
                pass
        freed = was_blocked and not self._is_blocked(hop, now)
        if not hop.active and not hop.failures:
            del self._hops[name]
        if freed or contact is Contact.UNREACHED or self._has_room_again():
            self._wake_all()

    def next_change(self, now: datetime) -> datetime | None:
        """When the next pause ends."""
        pauses = (hop.paused_until for hop in self._hops.values() if hop.paused_until is not None)
        return min((until for until in pauses if until > now), default=None)

    def _is_blocked(self, hop: _Hop, now: datetime) -> bool:
        if hop.failures:
            return hop.active > 0 or (hop.paused_until is not None and hop.paused_until > now)
        return hop.active + self._half() > self.options.per_destination

    def _half(self) -> int:
        return max(self.options.per_destination // 2, 1)

    def _has_room_again(self) -> bool:
        """After a standstill a quarter must be free, so that claims come in groups and not one for each delivery."""
        if not self._full or self.options.in_flight - self.active < max(self.options.in_flight // 4, 1):
            return False
        self._full = False
        return True

    def _wake_all(self) -> None:
        for wake in self.on_room:
            wake()

    def _pause(self, hop: _Hop, now: datetime) -> None:
        if hop.paused_until is not None and hop.paused_until > now:
            return  # The cohort that was under way at the first failure counts once.
        hop.failures += 1
        hop.paused_until = now + pause(self.options.retry_min, hop.failures)
        idle = [(h.paused_until, name) for name, h in self._hops.items() if h.paused_until is not None and not h.active]
        if len(idle) > _MOST_PAUSED:
            del self._hops[min(idle)[1]]


def pause(retry_min: timedelta, failures: int) -> timedelta:
    """How long a next hop is left alone after so many failures in a row."""
    return min(retry_min / _FIRST_PAUSE * 2 ** min(failures - 1, 10), retry_min)
