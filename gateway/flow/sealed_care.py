"""What is done for sealed messages now and then: readers who opened nothing are reminded, what is over is erased.

A reminder is committed before the store is told of it: a crash between the two sends it twice. Left out on purpose:
when a message expires, which is a matter of its own time.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from gateway.core.record import Entry, Kind
from gateway.core.sealed import Happening, Reader
from gateway.core.sealed_mail import build_reminder
from gateway.core.sealed_words import Invitation
from gateway.flow.leased import Leased
from gateway.flow.options import PortalOptions
from gateway.flow.ports import SealedStore, Spool, SpoolError
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared

ERASED_AFTER: Final = timedelta(days=7)
"""How long what has expired can still be given more time."""
MOST_REMINDED: Final = 500
"""Readers that are looked at in one round; the rest waits for the next."""
_NAME: Final = "sealed care"


class SealedCare:
    """A chore of one worker, which sends by its own spool. ``on_commit`` hears of each commit."""

    def __init__(self, spool: Spool, shared: Shared, on_commit: Callable[[Sequence[Entry]], None]) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit
        self._lease = Leased(_NAME, shared.state, shared.clock, shared.ids)

    async def look(self) -> None:
        """One round. A reminder that fails is heard of, and tried in the next. Raises SpoolError, SealedStoreError."""
        store, now = self._shared.sealed, self._shared.clock.now()
        if store is None or not await self._lease.mine():
            return
        await store.sweep(now, now - ERASED_AFTER)
        if self._shared.portal is not None:
            await self._remind(store, self._shared.portal)

    async def _remind(self, store: SealedStore, portal: PortalOptions) -> None:
        now = self._shared.clock.now()
        for reader in await store.remindable(now, now + portal.reminder, MOST_REMINDED):
            # One that lies there for a short time only was notified just now.
            if reader.expires_at - now > (reader.expires_at - reader.sealed_at) / 2:
                continue
            try:
                await self._tell(store, portal, reader)
            except SpoolError:
                raise
            except Exception as error:
                self._shared.events.broken("sealed care", reader.queue_id, error)

    async def _tell(self, store: SealedStore, portal: PortalOptions, reader: Reader) -> None:
        """Without an origin: a reminder that fails is not the end of its recipient, who was notified."""
        secret = (await store.secrets(reader.package)).get(reader.number)
        if secret is None:
            return
        post = Post(self._spool, self._shared)
        stamp = post.stamp()
        invitation = Invitation(reader=reader, token=secret.token)
        entry = await post.letter(
            Letter(
                kind=Kind.NOTIFICATION,
                to=reader.address,
                text=build_reminder(invitation, portal, self._shared.identity, stamp),
                stamp=stamp,
                reason=f"a reminder about {reader.queue_id}",
                until=reader.expires_at,
            )
        )
        await self._spool.commit((entry,))
        self._on_commit((entry,))
        self._shared.events.accepted(entry.message, entry.rows)
        await store.note(reader.package, reader.number, Happening.REMINDED, stamp.now)
