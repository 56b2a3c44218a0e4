"""Gives a reply to the gateway as mail, through the store: once, and no more in a day than a conversation has.

Left out on purpose: what a reply may hold (`gateway.portal.reply`), and its text as mail (`gateway.portal.reply_mail`).
"""

import asyncio
from datetime import timedelta
from typing import Final

from gateway.core.record import Kind
from gateway.core.sealed import Happening, OwnMail
from gateway.portal.context import Context
from gateway.portal.form_parts import NotTaken, Trouble
from gateway.portal.opened import Opened
from gateway.portal.reply_mail import Headline, Reply, build_reply, digest_of, message_id_of
from gateway.portal.shown import beginning

_MOST_A_DAY: Final = 20
"""Replies of one reader; more is no conversation."""
_DAY: Final = timedelta(days=1)
_HEADER_BYTES: Final = 32 * 1024


class Posting:
    """Of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # One after the other: a mail is in memory several times while it is built, and no reply is sent twice.
        self._sending = asyncio.Lock()

    async def send(self, of: Opened, reply: Reply, key: str) -> None:
        """Puts it into the store, unless the same was sent before: a form may come twice. Raises NotTaken."""
        reader, now = of.visit.reader, self._context.clock.now()
        message_id = f"{digest_of(key, reply)}@{of.visit.now.identity.hostname}"
        async with self._sending:
            before = await self._context.store.history(reader.package, reader.number, Happening.REPLIED)
            if any(one.detail == message_id for one in before):
                return
            if sum(one.at > now - _DAY for one in before) >= _MOST_A_DAY:
                raise NotTaken(Trouble.TOO_OFTEN)
            await self._context.store.post(await self._mail(of, reply, message_id))
            await self._context.store.note(
                reader.package, reader.number, Happening.REPLIED, now, who=of.visit.who, detail=message_id
            )
        facts = {"queue_id": reader.queue_id, "files": str(len(reply.files)), "scanned": str(reply.scanned).lower()}
        self._context.events("portal reply", facts)

    async def _mail(self, of: Opened, reply: Reply, message_id: str) -> OwnMail:
        reader, portal = of.visit.reader, of.visit.now.portal
        header = await beginning(self._context.store.read(reader.package, 0, _HEADER_BYTES))
        head = Headline(
            reader=reader,
            who=of.visit.who,
            sender=portal.sender,
            subject=of.face.subject,
            message_id=message_id,
            answers=message_id_of(header),
            now=self._context.clock.now(),
        )
        return OwnMail(
            kind=Kind.REPLY,
            to=reader.sender,
            text=await asyncio.to_thread(build_reply, head, reply),
            reason="a reply from the portal",
            message_id=message_id,
            package=reader.package,
            number=reader.number,
            queue_id=reader.queue_id,
        )
