"""The message content of one transaction, from the connection into its `Intake`: DATA and BDAT.

Content is always read to its end, even if nothing of it is wanted, so that the next byte is a command again.
"""

from typing import Protocol

from gateway.listeners import smtp_replies as replies
from gateway.listeners.intake import Intake
from gateway.wire.bdat import Chunk, LineEnds
from gateway.wire.dot import DotReader


class Source(Protocol):
    """Where content comes from."""

    async def read_block(self, at_most: int = ...) -> bytes:
        """The next bytes, one at least."""
        ...

    def earn(self, content: int) -> None:
        """Gives the peer more time, for so many bytes that were wanted."""
        ...

    def unread(self, rest: bytes) -> None:
        """Puts back what stood behind the content."""
        ...


async def read_data(source: Source, intake: Intake) -> None:
    """Reads to the final dot (RFC 5321 section 4.1.1.4)."""
    reader = DotReader()
    done = False
    while not done:
        block, done, rest = reader.feed(await source.read_block())
        if reader.bare:
            intake.fail(replies.BARE_LINE_END)
        _take(source, intake, block)
        if rest:
            source.unread(rest)


async def read_chunk(source: Source, chunk: Chunk, intake: Intake, line_ends: LineEnds) -> None:
    """Reads one chunk (RFC 3030 section 2); behind the last one an unfinished line gets its CRLF, as DATA would."""
    left = chunk.size
    while left:
        block = await source.read_block(left)
        left -= len(block)
        line_ends.feed(block)
        _take(source, intake, block)
    if chunk.last:
        intake.take(line_ends.finish())
    if line_ends.bare:
        intake.fail(replies.BARE_LINE_END)


async def drop_chunk(source: Source, size: int) -> None:
    """Reads a chunk that nobody wants."""
    while size:
        size -= len(await source.read_block(size))


def _take(source: Source, intake: Intake, block: bytes) -> None:
    """What is only drained earns nothing, so that content which is too large comes to an end as well."""
    intake.take(block)
    if intake.fault is None:
        source.earn(len(block))
