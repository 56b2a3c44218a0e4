"""A form with files as it arrives: parsed while it is read, within limits of size and time, for one and for all.

It is kept in memory alone, and nothing behind a wrong proof is read. Its parts are `gateway.portal.form_parts`' matter.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect, Request

from gateway.core.params import read_value
from gateway.portal.form_parts import NotTaken, Parts, Trouble, Upload

MOST_AT_ONCE: Final = 100 * 1024 * 1024
"""Bytes of all forms together that are in memory."""
_AROUND: Final = 64 * 1024
"""Bytes of a form besides what its fields hold."""
_IDLE: Final = 60.0
"""Seconds within which something more has to arrive."""
_WITHIN: Final = 1800.0
"""Seconds for all of it: 25 MiB at 15 KiB a second."""


class Budget:
    """How much all forms of this process may hold at once: what has come of them, not what they announce."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._left = most

    @contextmanager
    def holding(self) -> Generator[Callable[[int], None]]:
        """What it gives holds so many bytes more until the end, and raises NotTaken if there is no room now."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if size > self._left:
                raise NotTaken(Trouble.BUSY)
            self._left -= size
            held += size

        try:
            yield hold
        finally:
            self._left += held


def announced(request: Request, most: int) -> int:
    """The size of a form whose fields hold at most ``most`` bytes, as it is announced. Raises NotTaken."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) <= 15):
        raise NotTaken(Trouble.BAD)
    if int(length) > most + _AROUND:
        raise NotTaken(Trouble.TOO_LARGE)
    return int(length)


async def read_upload(
    request: Request, size: int, accepts: Callable[[str], bool], hold: Callable[[int], None]
) -> Upload:
    """The form, of at most ``size`` bytes; ``accepts`` judges the proof, ``hold`` makes room. Raises NotTaken."""
    kind = read_value(request.headers.get("content-type", "").encode("latin-1"))
    if kind.main != "multipart/form-data":
        raise NotTaken(Trouble.BAD)
    parts = Parts(accepts)
    try:
        parser = parts.parser(kind.parameters.get("boundary", b""), size)
        async with asyncio.timeout(_WITHIN):
            await _feed(request, parser, size, hold)
    except (TimeoutError, ClientDisconnect):
        raise NotTaken(Trouble.LATE) from None
    except (FormParserError, ValueError):
        raise NotTaken(Trouble.BAD) from None
    return parts.upload()


async def _feed(request: Request, parser: MultipartParser, size: int, hold: Callable[[int], None]) -> None:
    stream = aiter(request.stream())
    while True:
        async with asyncio.timeout(_IDLE):
            block = await anext(stream, None)
        if block is None:
            return
        size -= len(block)
        if size < 0:
            raise NotTaken(Trouble.TOO_LARGE)
        hold(len(block))
        parser.write(block)


async def discard(request: Request, most: int) -> None:
    """Reads up to ``most`` bytes and forgets them: a browser that is still sending sees no answer."""
    try:
        async with asyncio.timeout(_IDLE):
            async for block in request.stream():
                most -= len(block)
                if most < 0:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):
        return  # It has gone, or all of it had come (Starlette's RuntimeError).
