"""The open connections of one listener: counted against its limits when they begin, ended together when it stops.

When all places are taken, who may relay takes the place of who may not, and among those who may, who has few that of
who has many (decision 017). IPv6 is counted per /64, because one host owns that many addresses.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Final, Protocol

from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import IpAddress, Standing

# The interface identifier of an IPv6 address (RFC 4291 section 2.5.1).
_INTERFACE_BITS: Final = 64
# So many that gave up their place may still be closing; the oldest of more is cut off without waiting for its peer.
_LEAVING: Final = 64


class Busy(IntEnum):
    """What a conversation is in the middle of; one that commits never gives way."""

    IDLE = 0
    RECEIVING = 1
    COMMITTING = 2


class Session(Protocol):
    """One conversation."""

    @property
    def standing(self) -> Standing:
        """Whether it may relay, as far as is known by now."""
        ...

    @property
    def busy(self) -> Busy:
        """What would be broken off."""
        ...

    def end(self, farewell: Reply) -> None:
        """Says the farewell and closes, at once or when a commit in progress has been answered."""
        ...

    def retire(self, farewell: Reply) -> None:
        """The same, but a transaction that has begun may end first."""
        ...

    def cut(self) -> None:
        """Closes without a word."""
        ...


class Connections:
    """Whoever enters is counted until it leaves; at most ``limit`` altogether and ``per_address`` from one place."""

    def __init__(self, *, limit: int, per_address: int) -> None:
        self._limit = limit
        self._per_address = per_address
        # Both oldest first; the sessions with the place that they are counted at.
        self._sessions: dict[Session, int] = {}
        self._leaving: dict[Session, None] = {}
        self._places: Counter[int] = Counter()
        self._closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._sessions)

    def enter(self, session: Session, address: IpAddress) -> Reply | None:
        """Counts the session, or gives the reply that turns it away (then it must not `leave`)."""
        if self._closing:
            return replies.CLOSING
        place = _place(address)
        if self._places[place] >= self._per_address or not self._make_room(session.standing, place):
            return replies.TOO_MANY_CONNECTIONS
        self._sessions[session] = place
        self._places[place] += 1
        self._empty.clear()
        return None

    def leave(self, session: Session) -> None:
        """The end of a session that had entered."""
        if session in self._sessions:
            self._uncount(session)
        self._leaving.pop(session, None)
        if not self._sessions and not self._leaving:
            self._empty.set()

    def _uncount(self, session: Session) -> None:
        place = self._sessions.pop(session)
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]

    def _make_room(self, standing: Standing, place: int) -> bool:
        if len(self._sessions) < self._limit:
            return True
        yielding = self._not_admitted(standing) or (self._greedy(place) if standing is Standing.ADMITTED else None)
        if yielding is None:
            return False
        self._uncount(yielding)
        self._leaving[yielding] = None
        yielding.end(replies.PLACE_NEEDED)
        if len(self._leaving) > _LEAVING:
            oldest = next(iter(self._leaving))
            del self._leaving[oldest]
            oldest.cut()
        return True

    def _not_admitted(self, standing: Standing) -> Session | None:
        """The oldest of the lowest standing that may not relay; for a stranger nobody gives way."""
        if standing is Standing.STRANGER:
            return None
        others = (session for session in self._sessions if session.standing is not Standing.ADMITTED)
        return min(others, key=lambda session: session.standing, default=None)

    def _greedy(self, place: int) -> Session | None:
        """Of a place with more than ours would have: idle ones first, then of the place with most, then the oldest."""
        fair, places = self._places[place] + 2, self._places
        if max(places.values()) < fair:
            return None
        rich = [s for s, at in self._sessions.items() if places[at] >= fair and s.busy is not Busy.COMMITTING]
        return min(rich, key=lambda session: (session.busy, -places[self._sessions[session]]), default=None)

    def retire(self) -> None:
        """Lets nobody in any more; sessions without a transaction end now, the others after it."""
        self._closing = True
        for session in tuple(self._sessions):
            session.retire(replies.CLOSING)

    def end(self) -> None:
        """Lets nobody in any more and ends every session; only a commit in progress is still answered."""
        self._closing = True
        for session in tuple(self._sessions):
            session.end(replies.CLOSING)

    async def gone(self, within: timedelta) -> bool:
        """Waits until every session has left; False if that took longer."""
        try:
            await asyncio.wait_for(self._empty.wait(), within.total_seconds())
        except TimeoutError:
            return False
        return True


def _place(address: IpAddress) -> int:
    """One key per IPv4 address and per /64; the two families cannot meet because of the sign."""
    return int(address) >> _INTERFACE_BITS if isinstance(address, IPv6Address) else -1 - int(address)
