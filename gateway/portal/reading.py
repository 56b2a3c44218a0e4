"""The page of an opened message, and its HTML in a page that a sandbox holds.

Left out on purpose: files (`gateway.portal.downloads`) and answers (`gateway.portal.reply`).
"""

import asyncio
import secrets
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.core.sealed import PartPlace
from gateway.core.texts import HTML
from gateway.portal.contents import Contents, contents, decoded, pictures_by_id
from gateway.portal.context import Context
from gateway.portal.home import HOME
from gateway.portal.opened import SANDBOXED, Opened, opened
from gateway.portal.pictures import with_pictures
from gateway.portal.sanitise import MOST_HTML, Clean, sanitise
from gateway.portal.shown import MOST_BLOCKS, beginning, blocks, file_rows, head_of

FRAME_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""Popups are for links alone, which open outside: the page that they lead to is none of ours to hold."""
_AT_ONCE: Final = 2
"""Pages that are cleaned at a time: each takes a moment of CPU, and some megabytes."""


def routes(context: Context) -> list[Route]:
    """The pages of reading."""
    reading = _Reading(context)
    return [
        Route(HOME, opened(context, reading.read), methods=["GET"]),
        Route(f"{HOME}/frame/{{number:int}}", opened(context, reading.frame), methods=["GET"]),
    ]


class _Reading:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._cleaning = asyncio.Semaphore(_AT_ONCE)

    async def read(self, of: Opened) -> Response:
        """What the message says, and what can be done with it."""
        sorted_parts = contents(of.face)
        plain = bool(sorted_parts.texts) and "text" in of.request.query_params
        shown = await blocks(self._context.store, of.visit.reader.package, sorted_parts, plain=plain)
        return self._context.render(
            "read.html",
            of.request,
            visit=of.visit,
            head=head_of(of.face),
            blocks=shown,
            more=len(shown) == MOST_BLOCKS,
            files=file_rows(sorted_parts.files),
            pictures=file_rows(sorted_parts.pictures),
            has_plain=bool(sorted_parts.texts) and not plain,
            plain=plain,
        )

    async def frame(self, of: Opened) -> Response:
        """One HTML part, made safe; with ``?alone`` it has the message's head, to be printed."""
        part = _html_part(contents(of.face), of.request)
        by_id = pictures_by_id(of.face)
        mark = secrets.token_urlsafe(12)
        clean = await self._clean(of, part, {name: one.number for name, one in by_id.items()}, mark)
        page = self._context.render(
            "frame.html",
            of.request,
            visit=of.visit,
            head=head_of(of.face),
            alone="alone" in of.request.query_params,
            clean=clean,
        )
        package, store = of.visit.reader.package, self._context.store
        text = bytes(page.body).decode()
        return StreamingResponse(
            with_pictures(
                text, mark, {one.number: one for one in by_id.values()}, lambda number: store.part(package, number)
            ),
            media_type="text/html",
            headers={**SANDBOXED, "Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"},
        )

    async def _clean(self, of: Opened, part: PartPlace, pictures: dict[str, int], mark: str) -> Clean:
        async with self._cleaning:
            data = await beginning(self._context.store.part(of.visit.reader.package, part.number, 0, MOST_HTML))
            return await asyncio.to_thread(lambda: sanitise(decoded(data, part.charset, html=True), pictures, mark))


def _html_part(sorted_parts: Contents, request: Request) -> PartPlace:
    number = request.path_params["number"]
    for part in sorted_parts.body:
        if part.number == number and part.type == HTML and part.size <= MOST_HTML:
            return part
    raise HTTPException(404)
