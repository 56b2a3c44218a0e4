"""The letters that pages cause, put into the store where a worker finds them. What they say is `core.sealed_mail`'s."""

from datetime import timedelta
from typing import Final

from gateway.core.address import Address
from gateway.core.record import Kind
from gateway.core.report import Stamp
from gateway.core.sealed import OwnMail, Reader
from gateway.core.sealed_mail import build_code, build_disowned, build_locked, build_receipt
from gateway.core.sealing import Unlock
from gateway.core.sender_words import sender_page
from gateway.portal.context import Context, InForce

_CODE_FOR: Final = timedelta(minutes=15)


class Letters:
    """For one request."""

    def __init__(self, context: Context, now: InForce, reader: Reader) -> None:
        self._context = context
        self._now = now
        self._reader = reader
        self._link = sender_page(reader, now.portal, now.key)

    async def code(self, code: str) -> None:
        """To the reader; above the level of any mail it leaves over verified TLS, or not at all."""
        stamp, reader = self._context.stamp(), self._reader
        text = build_code(code, reader, self._now.portal, self._now.identity, stamp)
        await self._context.store.post(
            OwnMail(
                kind=Kind.CODE,
                to=reader.address,
                text=text,
                reason=f"a code for {reader.package}",
                message_id=stamp.message_id,
                package=reader.package,
                number=reader.number,
                queue_id=reader.queue_id,
                protected=reader.unlock is Unlock.VERIFIED_MAIL,
                until=stamp.now + _CODE_FOR,
            )
        )

    async def opened(self, who: str) -> None:
        """To the sender."""
        stamp = self._context.stamp()
        text = build_receipt(self._reader, stamp.now, who, self._link, self._now.identity, stamp)
        await self._notice(self._reader.sender, text, stamp, "opened")

    async def locked(self) -> None:
        """To the sender, who alone can open it again."""
        stamp = self._context.stamp()
        text = build_locked(self._reader, self._link, self._now.identity, stamp)
        await self._notice(self._reader.sender, text, stamp, "locked")

    async def disowned(self, who: str) -> None:
        """To the sender, and to the officer, who looks into it but has no link by which to change it."""
        sender = self._reader.sender
        for to in dict.fromkeys(filter(None, (sender, self._now.portal.officer))):
            stamp = self._context.stamp()
            link = self._link if to == sender else ""
            text = build_disowned(self._reader, who, to, link, self._now.identity, stamp)
            await self._notice(to, text, stamp, "not for the reader")

    async def _notice(self, to: Address, text: bytes, stamp: Stamp, what: str) -> None:
        reader = self._reader
        await self._context.store.post(
            OwnMail(
                kind=Kind.NOTICE,
                to=to,
                text=text,
                reason=f"{what}: {reader.package}",
                message_id=stamp.message_id,
                package=reader.package,
                number=reader.number,
                queue_id=reader.queue_id,
            )
        )
