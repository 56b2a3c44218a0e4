"""All pages put together: which path is whose, what every answer carries, and what becomes of trouble."""

import traceback
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
from gateway.portal.context import Context, Visit, came_from_us, is_proof, secured
from gateway.portal.form import read_form
from gateway.portal.home import HOME, cookie_name, name_in
from gateway.portal.landing import Landing, disown
from gateway.portal.limits import Limits
from gateway.portal.opened import ended, later, log_failure
from gateway.portal.sender import SenderPages

_SENTENCES: Final = frozenset({400, 403, 404, 405, 408, 413, 415})


def application(context: Context) -> ASGIApp:
    """The whole portal."""
    limits = Limits(context.clock.monotonic)
    shell = _Shell(context)
    pages = Starlette(
        routes=[
            *Landing(context, limits).routes(),
            *SenderPages(context, limits).routes(),
            *reading.routes(context),
            *downloads.routes(context),
            *reply.routes(context),
            Route(f"{HOME}/not-for-me", shell.disown, methods=["POST"]),
            Route(f"{HOME}/leave", shell.leave, methods=["POST"]),
            Route("/", shell.nothing, methods=["GET"]),
            Route("/robots.txt", _robots, methods=["GET"]),
        ],
        exception_handlers={HTTPException: shell.trouble, SealedStoreError: shell.closed, Exception: shell.broken},
    )
    return _Guarded(pages, context)


class _Shell:
    """The pages that belong to no message."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def nothing(self, request: Request) -> Response:
        return self._context.render("gone.html", request, status=404)

    async def disown(self, request: Request) -> Response:
        visit = await self._proven(request)
        if visit is None:
            return ended(self._context, request)
        return await disown(self._context, request, visit.reader, visit.who, visit.now)

    async def leave(self, request: Request) -> Response:
        visit = await self._proven(request)
        if visit is not None:
            await self._context.store.end_session(visit.cookie)
        page = self._context.in_force().page
        response = self._context.render("left.html", request)
        name = cookie_name(page, name_in(request))
        response.delete_cookie(name, path="/", secure=page.url.startswith("https:"), httponly=True, samesite="lax")
        return response

    async def _proven(self, request: Request) -> Visit | None:
        """Who sent a form of our page; None without a session. Raises HTTPException for a form that is not ours."""
        visit = await self._context.visit_of(request)
        form = await read_form(request)
        if visit is None:
            return None
        if not (came_from_us(request, visit.now.page) and is_proof(form.get("proof", ""), visit.home, visit.now.key)):
            raise HTTPException(403)
        return visit

    async def trouble(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 404:
            return self._context.render("gone.html", request, status=404)
        return self._context.render("trouble.html", request, status=status if status in _SENTENCES else 400)

    async def closed(self, request: Request, error: Exception) -> Response:
        log_failure(self._context, error)
        return later(self._context, request)

    async def broken(self, request: Request, _error: Exception) -> Response:
        return later(self._context, request)


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
            # Starlette has answered and raises it again for servers that log it. What it says may hold content.
            at = traceback.extract_tb(error.__traceback__)[-1]
            self._context.events("portal broken", {"error": type(error).__name__, "at": f"{at.filename}:{at.lineno}"})
