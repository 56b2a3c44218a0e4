"""One question to a program beside us, over a connection of its own, and the beginning of its answer.

Left out on purpose: what question and answer mean, and TLS, because it is a neighbour.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

_WITHIN: Final = 60.0
"""Seconds for connecting, sending, and waiting for the answer."""
_MOST_ANSWER: Final = 16 * 1024

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoAnswer(Exception):
    """It could not be asked; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Unix:
    """A socket in the file system."""

    path: str

    async def connect(self) -> Streams:
        """Raises OSError."""
        return await asyncio.open_unix_connection(self.path, limit=_MOST_ANSWER)


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and its port."""

    host: str
    port: int

    async def connect(self) -> Streams:
        """Raises OSError."""
        return await asyncio.open_connection(self.host, self.port, limit=_MOST_ANSWER)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def ask(place: Unix | Tcp, question: Sequence[bytes], end: bytes) -> bytes:
    """The answer up to and with ``end``. Raises NoAnswer, after a minute at most."""
    try:
        async with asyncio.timeout(_WITHIN), _connected(place) as (reader, writer):
            try:
                for block in question:
                    writer.write(block)
                    await writer.drain()
            except ConnectionError:
                pass  # It has seen enough, answered and closed before our end.
            return await reader.readuntil(end)
    except TimeoutError:
        raise NoAnswer("no answer in time") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise NoAnswer(f"no answer: {type(error).__name__}") from None


@asynccontextmanager
async def _connected(place: Unix | Tcp) -> AsyncGenerator[Streams]:
    reader, writer = await place.connect()
    try:
        yield reader, writer
    finally:
        # The answer is all that was wanted, so nothing that waits to be sent is waited for.
        writer.transport.abort()
