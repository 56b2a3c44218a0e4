"""Serves an ASGI application on a listening socket inside our own event loop, until it is cancelled, within limits.

Left out on purpose: WebSockets, and forwarding fields, because only the connection itself says who is there.
"""

import asyncio
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADER_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Certificate:
    """Ours, with its key in the same file or beside it."""

    certificate: Path
    private_key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 and later. Raises OSError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(self.certificate, self.private_key, password="")
        return context


class _Server(uvicorn.Server):
    """uvicorn without its hold on the process's signals: those are for whoever started the process."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    application: ASGIApp,
    sock: socket.socket,
    *,
    at_once: int,
    grace: int,
    connection: type[asyncio.Protocol] = H11Protocol,
    certificate: Certificate | None = None,
) -> None:
    """Serves at most ``at_once`` requests at a time; when it is cancelled, open ones get ``grace`` seconds.

    Raises OSError for a certificate that cannot be loaded.
    """
    config = uvicorn.Config(
        application,
        http=connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=at_once,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=grace,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    if certificate is not None:
        config.load()
        config.ssl = certificate.context()
    server = _Server(config)
    try:
        await server.serve(sockets=[sock])
    finally:
        if server.started:
            await server.shutdown(sockets=[sock])
