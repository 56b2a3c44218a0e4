"""Work that would stop everything else in this process, done in a process of its own: bytes go in, and bytes come out.

Some libraries hold Python's lock while they work, and some hold all of a message in memory; neither may cost the mail
that is carried at the same time. Left out on purpose: processes that are kept for the next time, so that nothing of one
message can be left for another.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Final

_TIMEOUT: Final = 1800.0
"""Seconds for one message; the largest take a few minutes."""
_BLOCK: Final = 256 * 1024


class ChildFailed(Exception):
    """It ended before its work was done."""


class Children:
    """Runs ``module``, a few at once. Its input is a pipe; its error output may hold content, and is thrown away."""

    def __init__(self, module: str, *arguments: str, at_once: int = 4) -> None:
        self._command = (sys.executable, "-P", "-m", module, *arguments)
        self._slots = asyncio.Semaphore(at_once)

    async def run(self, content: AsyncIterator[bytes], take: Callable[[bytes], Awaitable[None]]) -> None:
        """Gives it the content, and what comes of it to ``take``, while both go on.

        Raises:
            ChildFailed: what was taken is to be thrown away. So it is if ``content`` or ``take`` raise, which ends the
                process; TimeoutError likewise.
        """
        async with self._slots, asyncio.timeout(_TIMEOUT), _started(self._command) as (process, to_child):
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_feed(content, to_child))
                    both.create_task(_drain(process, take))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
            if await process.wait() != 0:
                raise ChildFailed("a process of ours ended before its work was done")


@asynccontextmanager
async def _started(command: tuple[str, ...]) -> AsyncGenerator[tuple[Process, asyncio.StreamWriter]]:
    # The input that asyncio makes is a socket, which cannot be opened by a name.
    theirs, ours = os.pipe()
    with closing(await _writer(ours)) as to_child:
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=theirs, stdout=PIPE, stderr=DEVNULL)
        finally:
            os.close(theirs)
        try:
            yield process, to_child
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    file = os.fdopen(descriptor, "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), loop=loop), file
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _feed(content: AsyncIterator[bytes], to_child: asyncio.StreamWriter) -> None:
    async for block in content:
        to_child.write(block)
        try:
            await to_child.drain()
        except ConnectionError:
            # It has ended, and its exit code says how.
            return
    to_child.close()


async def _drain(process: Process, take: Callable[[bytes], Awaitable[None]]) -> None:
    assert process.stdout is not None
    while block := await process.stdout.read(_BLOCK):
        await take(block)
