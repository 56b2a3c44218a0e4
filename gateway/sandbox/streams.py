"""Serves TCP connections with one owned task each, until it is cancelled.

It stands in for `asyncio.start_server`, whose tasks nobody owns.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final, TypeVar

MAX_CONNECTIONS: Final = 200
"""More clients than that at once are turned away; the gateway's own limit per destination is far below."""

CLOSING: Final = 5.0
"""Seconds that a closing connection has for its last bytes."""

Reader = TypeVar("Reader", bound=asyncio.StreamReader)


async def serve_streams(
    sock: socket.socket,
    new_reader: Callable[[], Reader],
    handle: Callable[[Reader, asyncio.StreamWriter], Coroutine[None, None, None]],
) -> None:
    """Calls ``handle`` for each connection to the listening ``sock``; on cancellation all are cut off at once."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async with asyncio.TaskGroup() as group:

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = new_reader()

            def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if len(tasks) >= MAX_CONNECTIONS:
                    writer.transport.abort()
                    return
                task = group.create_task(_hold(handle(reader, writer), writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            return asyncio.StreamReaderProtocol(reader, connected)

        server = await loop.create_server(protocol, sock=sock)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()


async def _hold(handling: Coroutine[None, None, None], writer: asyncio.StreamWriter) -> None:
    try:
        await handling
        writer.close()
        with suppress(OSError):
            async with asyncio.timeout(CLOSING):
                await writer.wait_closed()
    finally:
        writer.transport.abort()
