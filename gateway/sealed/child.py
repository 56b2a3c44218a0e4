"""Work that would stop everything else in this process, done in a process of its own: bytes go in, and bytes come out.

Some libraries hold Python's lock while they work, and some hold all of a message in memory; neither may cost the mail
that is carried at the same time. Left out on purpose: processes that are kept for the next time, so that nothing of one
message can be left for another.
"""

import asyncio
import os
import sys
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Final

_TIMEOUT: Final = 1800.0
"""Seconds for one message; the largest take a few minutes."""
_BLOCK: Final = 256 * 1024
_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR")


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
        async with self._slots, asyncio.timeout(_TIMEOUT), _started(self._command) as (process, into, out):
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_feed(content, into))
                    both.create_task(_drain(out, take))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
            if await process.wait() != 0:
                raise ChildFailed("a process of ours ended before its work was done")


@asynccontextmanager
async def _started(command: tuple[str, ...]) -> AsyncGenerator[tuple[Process, asyncio.StreamWriter, StreamReader]]:
    # What a loop makes by itself may be a socket, which cannot be opened by a name.
    with ExitStack() as ours, ExitStack() as theirs:
        its_input, into = os.pipe()
        theirs.callback(os.close, its_input)
        to_child = ours.enter_context(closing(await _writer(into)))
        out_of, its_output = os.pipe()
        theirs.callback(os.close, its_output)
        from_child = await _reader(out_of, ours)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=its_input, stdout=its_output, stderr=DEVNULL, env=_environment()
        )
        theirs.close()
        try:
            yield process, to_child, from_child
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """A key of ours may be in a variable, and such a process needs none of them."""
    return {name: value for name in _KEPT if (value := os.environ.get(name)) is not None}


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    file = os.fdopen(descriptor, "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(StreamReader(), loop=loop), file
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _reader(descriptor: int, until: ExitStack) -> StreamReader:
    reader = StreamReader(limit=_BLOCK)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    until.callback(transport.close)
    return reader


async def _feed(content: AsyncIterator[bytes], to_child: asyncio.StreamWriter) -> None:
    async for block in content:
        to_child.write(block)
        try:
            await to_child.drain()
        except ConnectionError:
            # It has ended, and its exit code says how.
            return
    to_child.close()


async def _drain(out: StreamReader, take: Callable[[bytes], Awaitable[None]]) -> None:
    while block := await out.read(_BLOCK):
        await take(block)
