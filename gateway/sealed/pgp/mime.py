"""PGP/MIME (RFC 3156 sections 4 and 6.2): an entity that Sequoia encrypts, in its own process, between two fixed parts.

Left out on purpose: the version in the armour's header, and any name of the recipient.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.sealed.child import Children

LENGTH_BYTES: Final = 4
"""Of the key's length, which stands before the key and the entity in what the process is given."""
_FIELDS: Final = (
    'MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n'
    '\tboundary="{boundary}"\r\n\r\n'
)
_BEFORE: Final = (
    "--{boundary}\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
    '--{boundary}\r\nContent-Type: application/octet-stream; name="encrypted.asc"\r\n'
    'Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n'
)
_BEHIND: Final = "\r\n--{boundary}--\r\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A multipart/encrypted; ``boundary`` is unguessable."""

    boundary: str

    def fields(self) -> bytes:
        """What the header says of it, with the empty line."""
        return _FIELDS.format(boundary=self.boundary).encode()

    def before(self) -> bytes:
        """The body up to the armoured message."""
        return _BEFORE.format(boundary=self.boundary).encode()

    def behind(self) -> bytes:
        """What stands behind it."""
        return _BEHIND.format(boundary=self.boundary).encode()


class Sealer:
    """Encrypts, and signs with the key in the file ``sign_key`` if there is one."""

    def __init__(self, sign_key: Path | None) -> None:
        self._children = Children("gateway.sealed.pgp.process", *([] if sign_key is None else [str(sign_key)]))

    async def seal(self, key: bytes, entity: AsyncIterator[bytes], take: Callable[[bytes], Awaitable[None]]) -> None:
        """The armoured message in lines; memory does not grow with it.

        Raises:
            ChildFailed: it could not be encrypted; and what ``entity`` and ``take`` raise.
        """

        async def given() -> AsyncIterator[bytes]:
            yield len(key).to_bytes(LENGTH_BYTES) + key
            async for block in entity:
                yield block

        async def lines(block: bytes) -> None:
            await take(block.replace(b"\n", b"\r\n"))

        await self._children.run(given(), lines)
