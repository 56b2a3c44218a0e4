"""Mail that the portal's pages cause, on its way from the store of sealed messages into a spool.

A mail is committed before the store forgets it: a crash between the two sends it twice, and never not at all. Left out
on purpose: mail whose time is over (an old code), which is only forgotten.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gateway.core.address import NullPath, ReversePath
from gateway.core.record import Entry, Kind, Origin
from gateway.core.report import Stamp
from gateway.core.sealed import OwnMail
from gateway.core.tls import Protection
from gateway.flow.ports import SealedStore, Spool, SpoolError
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared

MOST_AT_ONCE: Final = 100
LEASE: Final = timedelta(seconds=30)
"""Short, because somebody waits for a code: when the process that does this dies, another goes on soon."""
AGAIN_AFTER: Final = timedelta(minutes=5)
"""A mail that could not be sent lets the others pass."""
_NAME: Final = "sealed post"


class SealedPost:
    """A chore of one worker, which sends by its own spool. ``on_commit`` hears of each commit."""

    def __init__(self, spool: Spool, shared: Shared, on_commit: Callable[[Sequence[Entry]], None]) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit
        self._holder = shared.ids.new()

    async def send(self) -> None:
        """One round. A mail that cannot be sent is heard of, and tried again. Raises SpoolError, SealedStoreError."""
        store, shared = self._shared.sealed, self._shared
        if store is None or not await self._mine():
            return
        for number in await store.outgoing(shared.clock.now(), MOST_AT_ONCE):
            try:
                await self._send(store, number)
            except SpoolError:
                raise
            except Exception as error:
                shared.events.broken("sealed post", "", error)
                await store.put_off(number, shared.clock.now() + AGAIN_AFTER)

    async def _mine(self) -> bool:
        return await self._shared.state.try_lease(_NAME, self._holder, self._shared.clock.now() + LEASE)

    async def _send(self, store: SealedStore, number: int) -> None:
        """One at a time is in memory, for a reply may be large."""
        mail, now = await store.own_mail(number), self._shared.clock.now()
        if mail is None:
            return
        if mail.until is None or now < mail.until:
            post = Post(self._spool, self._shared)
            entry = await post.letter(self._letter(mail, post.stamp()))
            await self._spool.commit((entry,))
            self._on_commit((entry,))
            self._shared.events.accepted(entry.message, entry.rows)
        await store.posted((number,))

    def _letter(self, mail: OwnMail, stamp: Stamp) -> Letter:
        """It has no parent: what becomes of it changes nothing for the recipient of the message that it is about."""
        return Letter(
            kind=mail.kind,
            to=mail.to,
            text=mail.text,
            stamp=replace(stamp, message_id=mail.message_id.removesuffix(f"@{self._shared.system.hostname}")),
            reason=mail.reason,
            origin=Origin(mail.queue_id, mail.number, mail.kind),
            floor=Protection.VERIFIED if mail.protected else Protection.NONE,
            reverse_path=self._reverse_path(mail.kind),
            until=mail.until,
        )

    def _reverse_path(self, kind: Kind) -> ReversePath:
        """A reply is a person's mail, and a report about it comes to the portal's own address."""
        portal = self._shared.portal
        return portal.sender if kind is Kind.REPLY and portal is not None else NullPath.NULL
