"""All pages put together: which path is whose, what every answer carries, and what becomes of trouble."""

import time
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.flow.ports import SealedStoreError
from gateway.portal import downloads, reading, reply
from gateway.portal.context import Context, came_from_us, cookie_name, is_proof, secured
from gateway.portal.form import read_form
from gateway.portal.landing import Landing, disown
from gateway.portal.limits import Limits
from gateway.portal.sender import SenderPages

_SENTENCES: Final = frozenset({400, 403, 404, 405, 408, 413, 415})


def application(context: Context) -> ASGIApp:
    """The whole portal."""
    limits = Limits(time.monotonic)
    shell = _Shell(context)
    pages = Starlette(
        routes=[
            *Landing(context, limits).routes(),
            *SenderPages(context, limits).routes(),
            *reading.routes(context),
            *downloads.routes(context),
            *reply.routes(context),
            Route("/read/not-for-me", shell.disown, methods=["POST"]),
            Route("/leave", shell.leave, methods=["POST"]),
            Route("/", shell.nothing, methods=["GET"]),
            Route("/robots.txt", _robots, methods=["GET"]),
        ],
        exception_handlers={HTTPException: shell.trouble, SealedStoreError: shell.not_now, Exception: shell.not_now},
    )
    return _Guarded(pages, context)


class _Shell:
    """The pages that belong to no message."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def nothing(self, request: Request) -> Response:
        return self._context.render("gone.html", request, status=404)

    async def disown(self, request: Request) -> Response:
        visit = await self._context.visit_of(request)
        form = await read_form(request)
        if visit is None:
            return self._context.render("ended.html", request, status=401)
        ours = came_from_us(request, visit.now.page) and is_proof(form.get("proof", ""), visit.cookie, visit.now.key)
        if not ours:
            raise HTTPException(403)
        return await disown(self._context, request, visit.reader, visit.who, visit.now)

    async def leave(self, request: Request) -> Response:
        visit = await self._context.visit_of(request)
        form = await read_form(request)
        now = self._context.in_force()
        if visit is not None and is_proof(form.get("proof", ""), visit.cookie, now.key):
            await self._context.store.end_session(visit.cookie)
        response = self._context.render("left.html", request)
        response.delete_cookie(cookie_name(now.page), path="/", secure=now.page.url.startswith("https:"), httponly=True)
        return response

    async def trouble(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 404:
            return self._context.render("gone.html", request, status=404)
        return self._context.render("trouble.html", request, status=status if status in _SENTENCES else 400)

    async def not_now(self, request: Request, error: Exception) -> Response:
        self._context.events("portal trouble", {"error": type(error).__name__})
        response = self._context.render("later.html", request, status=503)
        response.headers["Retry-After"] = "30"
        return response


async def _robots(_request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


class _Guarded:
    """Answers for our own name alone, and puts on every answer what limits a browser."""

    def __init__(self, inside: ASGIApp, context: Context) -> None:
        self._inside = inside
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page = self._context.in_force().page
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                response = Response()
                response.raw_headers = list(message["headers"])
                message = {**message, "headers": secured(response, page).raw_headers}
            await send(message)

        if host != urlsplit(page.url).netloc.lower():
            await PlainTextResponse("This is another place.", 421)(scope, receive, send_secured)
            return
        try:
            await self._inside(scope, receive, send_secured)
        except Exception as error:
            # Starlette has answered and raises it again for servers that log it; ours says its name alone.
            self._context.events("portal broken", {"error": type(error).__name__})
