"""The admin port: `/metrics`, `/healthz` and `/readyz`, served by the supervisor.

Left out on purpose: TLS and authentication. It listens on loopback unless told otherwise, says nothing of any message,
and changes nothing. Requests are bounded: few at once, small headers, no body is read.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.web.serving import serve

_AT_ONCE: Final = 16
"""Prometheus, a load balancer and a person; anything more is answered 503."""

_LIFETIME: Final = 60
"""Seconds; Prometheus connects again without noticing."""

_GRACE: Final = 2
"""Seconds that open requests get when the gateway stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPages:
    """What the pages show. ``not_ready`` gives the reason in plain words, None when all is well.

    ``metrics`` is called in a thread, because it reads files.
    """

    metrics: Callable[[], bytes]
    content_type: str
    not_ready: Callable[[], str | None]


def admin_app(pages: AdminPages) -> Starlette:
    """The three pages as an ASGI application."""

    def metrics(_request: Request) -> Response:
        return Response(pages.metrics(), media_type=pages.content_type)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        reason = pages.not_ready()
        return PlainTextResponse("ready\n") if reason is None else PlainTextResponse(f"{reason}\n", status_code=503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)],
    )


class _Connection(H11Protocol):
    """A connection with an end: one that says nothing, or never reads its answer, would keep its place for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._end = self.loop.call_later(_LIFETIME, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


async def serve_admin(pages: AdminPages, sock: socket.socket) -> None:
    """Serves until cancelled; then open requests get two seconds."""
    await serve(admin_app(pages), sock, at_once=_AT_ONCE, grace=_GRACE, connection=_Connection)
