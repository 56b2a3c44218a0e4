"""A form with files as it arrives: parsed while it is read, within limits of size and time, for one and for all.

It is kept in memory alone, and nothing behind a wrong proof is read. Its parts are `gateway.portal.form_parts`' matter.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect, Request

from gateway.core.params import read_value
from gateway.portal.form_parts import LONGEST_FIELD, NotTaken, Parts, Trouble, Upload, Written

MOST_AT_ONCE: Final = 100 * 1024 * 1024
"""Bytes of all forms together that are in memory."""
_AROUND: Final = 64 * 1024
"""Bytes of a form besides what its fields hold."""
WITH_TEXT: Final = _AROUND + LONGEST_FIELD
"""Bytes with which the text has come, since it stands before the files."""
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


class Incoming:
    """One form on its way, of which what was written is given back if it is not taken; ``accepts`` judges the proof."""

    def __init__(self, request: Request, accepts: Callable[[str], bool]) -> None:
        self._request = request
        self._parts = Parts(accepts)
        self._parser: MultipartParser | None = None
        self._stopped = False

    async def read(self, size: int, hold: Callable[[int], None]) -> Upload:
        """All of it, of at most ``size`` bytes; ``hold`` makes room. Raises NotTaken."""
        try:
            parser = self._begun(size)
            async with asyncio.timeout(_WITHIN):
                await self._feed(parser, size, hold)
        except (TimeoutError, ClientDisconnect):
            raise NotTaken(Trouble.LATE) from None
        except (FormParserError, ValueError):
            raise NotTaken(Trouble.BAD) from None
        return self._parts.upload()

    async def written(self, field: str, most: int) -> Written:
        """What has come of the field, after up to ``most`` bytes more, of which the rest is forgotten.

        They are read because a browser that is still sending sees no answer, but no more than the text needs before the
        proof is accepted, and nothing behind a wrong one. By then the form has given up its room and its turn, so files
        are no longer kept.
        """
        self._parts.forget_files()
        # It may have gone, or all of it had come (Starlette's RuntimeError).
        with suppress(NotTaken, TimeoutError, ClientDisconnect, RuntimeError):
            if most:
                async with asyncio.timeout(_IDLE):
                    await self._go_on(self._parser or self._begun(WITH_TEXT), field, most)
        return self._parts.written(field)

    async def _go_on(self, parser: MultipartParser, field: str, most: int) -> None:
        read = 0
        async for block in self._request.stream():
            if read < WITH_TEXT and not self._parts.has(field):
                try:
                    self._parse(parser, block[: WITH_TEXT - read])
                except (FormParserError, ValueError):
                    pass
                except NotTaken as problem:
                    if problem.trouble is Trouble.FORGED:
                        return
            read += len(block)
            if read > (most if self._parts.proven else min(most, WITH_TEXT)):
                return

    def _parse(self, parser: MultipartParser, block: bytes) -> None:
        """Nothing is parsed behind a place where that stopped: what the parser tells then has a hole before it."""
        if self._stopped:
            return
        self._stopped = True
        parser.write(block)
        self._stopped = False

    def _begun(self, size: int) -> MultipartParser:
        kind = read_value(self._request.headers.get("content-type", "").encode("latin-1"))
        if kind.main != "multipart/form-data":
            raise NotTaken(Trouble.BAD)
        self._parser = self._parts.parser(kind.parameters.get("boundary", b""), size)
        return self._parser

    async def _feed(self, parser: MultipartParser, size: int, hold: Callable[[int], None]) -> None:
        stream = aiter(self._request.stream())
        while True:
            async with asyncio.timeout(_IDLE):
                block = await anext(stream, None)
            if block is None:
                return
            size -= len(block)
            # The parser takes no more than the size, and a block that is left out would be a hole in the text.
            self._parse(parser, block)
            if size < 0:
                raise NotTaken(Trouble.TOO_LARGE)
            hold(len(block))
