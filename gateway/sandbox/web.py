"""Serves a web application inside the sandbox's own event loop, until it is cancelled."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

GRACE: Final = 1
"""Seconds that open requests get at the end; uvicorn counts whole ones."""


class _Server(uvicorn.Server):
    """uvicorn without its hold on the process's signals: Ctrl-C belongs to the whole sandbox."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve_web(application: Starlette, sock: socket.socket) -> None:
    """Serves on a listening socket until it is cancelled."""
    config = uvicorn.Config(
        application,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[sock])
    finally:
        if server.started:
            await server.shutdown(sockets=[sock])
