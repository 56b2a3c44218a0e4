"""The open connections of one listener: counted against its limits when they begin, ended together when it stops.

IPv6 is counted per /64, because one host owns that many addresses.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from ipaddress import IPv6Address
from typing import Final, Protocol

from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import IpAddress

# The interface identifier of an IPv6 address (RFC 4291 section 2.5.1).
_INTERFACE_BITS: Final = 64


class Session(Protocol):
    """One conversation."""

    def end(self, farewell: Reply) -> None:
        """Says the farewell and closes, at once or when a commit in progress has been answered."""
        ...

    def retire(self, farewell: Reply) -> None:
        """The same, but a transaction that has begun may end first."""
        ...


class Connections:
    """Whoever enters is counted until it leaves; at most ``limit`` altogether and ``per_address`` from one place."""

    def __init__(self, *, limit: int, per_address: int) -> None:
        self._limit = limit
        self._per_address = per_address
        self._sessions: set[Session] = set()
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
        if len(self._sessions) >= self._limit or self._places[place] >= self._per_address:
            return replies.TOO_MANY_CONNECTIONS
        self._sessions.add(session)
        self._places[place] += 1
        self._empty.clear()
        return None

    def leave(self, session: Session, address: IpAddress) -> None:
        """The end of a session that had entered."""
        self._sessions.remove(session)
        place = _place(address)
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]
        if not self._sessions:
            self._empty.set()

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
