"""The digests: now and then, one process of the machine sends what was gathered (`flow.tally`) to whom it concerns.

A digest is committed before its lines are forgotten: a crash between the two sends it twice, and never not at all.
"""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.core.address import parse_address
from gateway.core.digest import build_digest
from gateway.core.record import Entry, Kind
from gateway.flow.leased import Leased
from gateway.flow.ports import Spool
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared
from gateway.flow.tally import Due

_NAME: Final = "digests"


class Digests:
    """A chore of one worker, which sends by its own spool. ``on_commit`` hears of each commit."""

    def __init__(self, spool: Spool, shared: Shared, on_commit: Callable[[Sequence[Entry]], None]) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit
        self._lease = Leased(_NAME, shared.state, shared.clock, shared.ids)

    async def send(self) -> None:
        """One round. One that cannot be sent is heard of, and tried again in the next. Raises SpoolError."""
        if not await self._lease.mine():
            return
        for due in await self._shared.tally.due():
            try:
                await self._send(due)
            except Exception as error:
                self._shared.events.broken("digest", "", error)

    async def _send(self, due: Due) -> None:
        post = Post(self._spool, self._shared)
        topic, stamp = due.batch.topic, post.stamp()
        entry = await post.letter(
            Letter(
                kind=Kind.NOTICE,
                to=parse_address(topic.mailbox),
                text=build_digest(due.batch, self._shared.identity, stamp),
                stamp=stamp,
                reason=f"a digest of {due.batch.count}",
            )
        )
        await self._spool.commit((entry,))
        self._on_commit((entry,))
        self._shared.events.accepted(entry.message, entry.rows)
        await self._shared.tally.forget(due)
