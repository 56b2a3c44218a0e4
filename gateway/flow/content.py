"""The stored bytes of a message, as deliveries and reports need them: its header block, and what may be returned.

The body itself is never read here beyond a small message that is returned whole.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.edits import Remove
from gateway.core.envelope import Ret
from gateway.core.record import BodyRef, Message
from gateway.flow.ports import Bodies
from gateway.wire.render import render

MOST_RETURNED: Final = 64 * 1024
"""A message up to this many bytes is returned whole if its sender asked for that; the report then fits in its row."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a report may hold of the message: never a control field, a proof of the sending system, or a Bcc."""

    header: bytes
    full: bytes | None


async def read_header(bodies: Bodies, message: Message) -> bytes:
    """The header block as received. Raises SpoolError for a damaged body."""
    return await _read(bodies, message.body, message.header_bytes)


async def read_beginning(bodies: Bodies, message: Message, size: int) -> bytes:
    """The first bytes as received. Raises SpoolError for a damaged body."""
    return await _read(bodies, message.body, size)


async def read_returned(bodies: Bodies, message: Message) -> Returned:
    """What a report may hold. Whole messages only in 7 bits, as message/rfc822 has no encoding (RFC 2046 5.2.1).

    Raises:
        SpoolError: the body is damaged.
    """
    removals = [edit for edit in message.edits if isinstance(edit, Remove)]
    header = render(await read_header(bodies, message), removals)
    wanted = message.envelope.ret is Ret.FULL and not message.eight_bit
    if not wanted or message.body.size > MOST_RETURNED:
        return Returned(header, None)
    whole = await _read(bodies, message.body, message.body.size)
    return Returned(header, header + whole[message.header_bytes :])


async def _read(bodies: Bodies, body: BodyRef, size: int) -> bytes:
    if body.inline is not None:
        return body.inline[:size]
    data = bytearray()
    async for block in bodies.open(body):
        data += block
        if len(data) >= size:
            break
    return bytes(data[:size])
