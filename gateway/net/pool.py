"""Open sessions kept for the next message to the same endpoint, within limits of number, time and uses.

A kept session is handed out only where what it is meets the terms at hand, judged anew for each recipient domain; the
transaction checks once more. Left out on purpose: keeping a session alive with NOOP.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms

_QUIT_WAIT: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """``idle`` is how long a session waits for its next message; a busy server wants it back soon after."""

    sessions: int = 100
    idle: timedelta = timedelta(seconds=15)


class Pool:
    """Idle sessions; one that is in use is in nobody's list."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        # In the order they came back, each with the timer that ends it.
        self._idle: OrderedDict[Session, asyncio.TimerHandle] = OrderedDict()
        self._by_endpoint: dict[Endpoint, list[Session]] = {}

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, endpoint: Endpoint, terms: Terms) -> Session | None:
        """An idle session that meets the terms, the one used last; it is the caller's until given back."""
        for session in reversed(self._by_endpoint.get(endpoint, ())):
            if not session.reusable:
                self._remove(session)
                session.end()
            elif terms.met_by(session.channel, session.check):
                self._remove(session)
                return session
        return None

    def give_back(self, session: Session) -> None:
        """Keeps a session that another message may use, and ends any other."""
        if not session.reusable or self._limits.sessions < 1:
            session.end()
            return
        if len(self._idle) >= self._limits.sessions:
            self._end(next(iter(self._idle)))
        timer = asyncio.get_running_loop().call_later(self._limits.idle.total_seconds(), self._end, session)
        self._idle[session] = timer
        self._by_endpoint.setdefault(session.endpoint, []).append(session)

    def _end(self, session: Session) -> None:
        self._remove(session)
        session.end()

    def _remove(self, session: Session) -> None:
        self._idle.pop(session).cancel()
        siblings = self._by_endpoint[session.endpoint]
        siblings.remove(session)
        if not siblings:
            del self._by_endpoint[session.endpoint]

    async def aclose(self, realm: str | None = None) -> None:
        """Ends all idle sessions, or those of one realm, and waits a little for their good order."""
        ending = [session for session in self._idle if realm in (None, session.endpoint.realm)]
        for session in ending:
            self._end(session)
        async with asyncio.TaskGroup() as group:
            for session in ending:
                group.create_task(session.connection.closed(_QUIT_WAIT))
