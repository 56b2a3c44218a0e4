"""The MIME entity that is sealed, as it streams: fields and body of the original, in a signature or not.

Work on bytes is done in threads, a block at a time. Left out on purpose: where the body comes from.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509

from gateway.sealed.cms.envelope import Content, Envelope
from gateway.sealed.cms.lines import Base64Lines
from gateway.sealed.cms.sign import EntitySigner

_BLOCK: Final = 256 * 1024
"""What a thread does at a time: large enough that handing it over costs nothing beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """``body`` opens the body of ``body_size`` bytes anew at each call; ``before`` and ``behind`` stand around it."""

    before: bytes
    body: Callable[[], AsyncIterator[bytes]]
    body_size: int
    behind: bytes = b""

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.before) + self.body_size + len(self.behind)

    async def blocks(self) -> AsyncGenerator[bytes]:
        """All of it. Raises what the body does."""
        waiting = bytearray(self.before)
        async for block in self.body():
            waiting += block
            if len(waiting) >= _BLOCK:
                yield bytes(waiting)
                waiting.clear()
        yield bytes(waiting + self.behind)

    async def signed(self, signer: EntitySigner, now: datetime) -> "Entity":
        """In a multipart/signed; all of it is read once for that. Raises what the body does."""
        digest = sha256()
        async with aclosing(self.blocks()) as blocks:
            async for block in blocks:
                await asyncio.to_thread(digest.update, block)
        around = await asyncio.to_thread(signer.wrapper, digest.digest(), now)
        return replace(self, before=around.before + self.before, behind=self.behind + around.behind)

    async def sealed(self, certificate: x509.Certificate, content: Content) -> AsyncGenerator[bytes]:
        """The lines of the sealed message.

        Raises:
            ValueError: the body does not have the size that was said; and what the body raises.
        """
        envelope, lines = await asyncio.to_thread(Envelope, certificate, content, self.size), Base64Lines()

        def seal(block: bytes) -> bytes:
            return lines.feed(envelope.seal(block))

        yield lines.feed(envelope.start())
        async with aclosing(self.blocks()) as blocks:
            async for block in blocks:
                yield await asyncio.to_thread(seal, block)
        yield lines.feed(envelope.finish()) + lines.finish()
