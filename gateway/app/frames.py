"""Frames: messages with a length in front, over the pipes to the workers and the control socket.

Four bytes of length, big-endian, then that many bytes. A length above the reader's limit ends the connection before
anything of it is read.
"""

import asyncio
import struct
from typing import Final

MAX_BUNDLE: Final = 64 * 1024 * 1024
"""Bytes of a whole configuration with its registers, as text in a frame."""

MAX_ANSWER: Final = 1024 * 1024
"""Bytes of everything else."""

_LENGTH: Final = struct.Struct(">I")


class FrameError(Exception):
    """The other side does not speak frames, says too much, or stopped in the middle of one."""


def frame(payload: bytes) -> bytes:
    """The payload as it goes over the wire."""
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader, limit: int) -> bytes | None:
    """The next payload; None when the other side closed between two frames.

    Raises:
        FrameError: longer than ``limit`` bytes, or cut off.
    """
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("closed in the middle of a frame") from error
        return None
    (length,) = _LENGTH.unpack(head)
    if length > limit:
        raise FrameError(f"a frame of {length} bytes, the limit is {limit}")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise FrameError("closed in the middle of a frame") from error
