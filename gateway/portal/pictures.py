"""A page with the pictures of its message in it (RFC 2397), written while it is sent, so that no picture is in memory.

They have no address of their own on purpose: the page stands in a sandbox, and from there a browser sends no cookie
that would open them.
"""

import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from gateway.core.sealed import PartPlace

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all pictures of a page, each as often as it is shown; the rest is left out."""


async def with_pictures(
    page: str, mark: str, pictures: Mapping[int, PartPlace], content: Callable[[int], AsyncIterator[bytes]]
) -> AsyncIterator[bytes]:
    """The page in blocks; ``cid:MARK-NUMBER`` in it becomes the picture of that number."""
    left = MOST_BYTES
    # The pieces at odd places are what the pattern's group found.
    for place, piece in enumerate(re.split(rf"cid:{re.escape(mark)}-(\d{{1,9}})", page)):
        if place % 2 == 0:
            yield piece.encode("utf-8", "replace")
            continue
        picture = pictures[int(piece)]
        if picture.size <= left:
            left -= picture.size
            yield f"data:{picture.type};base64,".encode()
            async for block in _encoded(content(picture.number)):
                yield block


async def _encoded(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Base64 of the whole, in blocks: three bytes always stay together."""
    rest = b""
    async for block in content:
        whole = rest + block
        cut = len(whole) - len(whole) % 3
        rest = whole[cut:]
        yield base64.b64encode(whole[:cut])
    yield base64.b64encode(rest)
