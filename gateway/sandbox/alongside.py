"""Runs servers while a body runs, and ends them with it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def alongside(*servers: Coroutine[None, None, None]) -> AsyncGenerator[None, None]:
    """Cancels the servers after the body. The body's own error comes out as it is, not inside a group.

    A server that fails cancels the body; its error comes out in an ExceptionGroup.
    """
    group = asyncio.TaskGroup()
    await group.__aenter__()
    tasks = [group.create_task(server) for server in servers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await group.__aexit__(None, None, None)
