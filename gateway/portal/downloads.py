"""Files of an opened message: one by one, all as ZIP, and the original message; a download that broke off goes on.

Left out on purpose: showing any of them. A browser is told to keep them, never to open them.
"""

import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.core.file_names import file_name
from gateway.core.sealed import PackageId, PartPlace
from gateway.portal.begun import Begun
from gateway.portal.contents import contents
from gateway.portal.context import Context
from gateway.portal.home import HOME
from gateway.portal.landing import too_often
from gateway.portal.limits import Act, Limits
from gateway.portal.opened import SANDBOXED, Opened, opened
from gateway.portal.ranges import OutOfRange, Span, read_range
from gateway.portal.zip_stream import Entry, zipped

# What runs nothing, and what a telephone needs to know the type of to open it.
_PASSED: Final = frozenset(
    "application/pdf application/zip image/png image/jpeg image/gif image/webp text/plain text/csv".split()
)
_OTHER: Final = "application/octet-stream"
_NOT_PLAIN: Final = re.compile(r"[^ !#$&-\[\]-~]")


def routes(context: Context) -> list[Route]:
    """Where files are fetched."""
    downloads = _Downloads(context)
    return [
        Route(f"{HOME}/part/{{number:int}}", opened(context, downloads.part), methods=["GET", "HEAD"]),
        Route(f"{HOME}/all.zip", opened(context, downloads.all), methods=["GET", "HEAD"]),
        Route(f"{HOME}/message.eml", opened(context, downloads.original), methods=["GET", "HEAD"]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """``key`` tells it from all others and says nothing; ``detail`` is what the history says, without its name."""

    name: str
    type: str
    size: int
    detail: str
    key: str


class _Downloads:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._begun = Begun()
        self._limits = Limits(context.clock.monotonic)

    async def part(self, of: Opened) -> Response:
        """One part, decoded."""
        part = _find(of)
        package = of.visit.reader.package
        kind = part.type if part.type in _PASSED else _OTHER
        file = _File(
            name=file_name(part),
            type=kind,
            size=part.size,
            detail=f"part {part.number + 1}",
            key=_key(package, f"part {part.number}"),
        )
        return await self._sent(of, file, lambda span: self._store.part(package, part.number, span.start, span.end))

    async def original(self, of: Opened) -> Response:
        """The message as it was sealed, byte for byte."""
        package = of.visit.reader.package
        file = _File(
            name="message.eml",
            type=_OTHER,
            size=of.face.size,
            detail="the original message",
            key=_key(package, "message"),
        )
        return await self._sent(of, file, lambda span: self._store.read(package, span.start, span.end))

    async def all(self, of: Opened) -> Response:
        """All files and pictures in one archive, whose size is not known before it ends."""
        sorted_parts = contents(of.face)
        parts = (*sorted_parts.files, *sorted_parts.pictures)
        if not parts:
            raise HTTPException(404)
        headers = _headers("files.zip", "application/zip") | {"Accept-Ranges": "none"}
        if of.request.method == "HEAD":
            response = Response(headers=headers)
            del response.headers["Content-Length"]
            return response
        if (refused := await self._refused(of, "all files")) is not None:
            return refused
        package = of.visit.reader.package
        entries = [Entry(file_name(part), part.size, self._store.part(package, part.number)) for part in parts]
        return StreamingResponse(zipped(entries, of.visit.reader.sealed_at), headers=headers)

    async def _sent(self, of: Opened, file: _File, content: Callable[[Span], AsyncIterator[bytes]]) -> Response:
        """The file, or the range of it that is asked for, counted unless this session counted it and asks for more."""
        tag = f'"{file.key}"'
        headers = _headers(file.name, file.type) | {"Accept-Ranges": "bytes", "ETag": tag}
        asked = of.request.headers.get("range") if of.request.method == "GET" else None
        same = of.request.headers.get("if-range", tag) == tag
        span = read_range(asked, file.size, still_the_same=same)
        if isinstance(span, OutOfRange):
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{file.size}"})
        whole = Span(0, file.size)
        headers["Content-Length"] = str((span or whole).size)
        if span is not None:
            headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{file.size}"
        status = 200 if span is None else 206
        if of.request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        if (refused := await self._kept_back(of, file, span or whole)) is not None:
            return refused
        return StreamingResponse(content(span or whole), status, headers)

    async def _kept_back(self, of: Opened, file: _File, span: Span) -> Response | None:
        """The rest of a file is part of the download that was counted, also where that was the last one."""
        if span.start > 0 and self._begun.has(of.visit.cookie, file.key):
            return None
        refused = await self._refused(of, file.detail)
        if refused is None:
            self._begun.add(of.visit.cookie, file.key)
        return refused

    async def _refused(self, of: Opened, detail: str) -> Response | None:
        """None for a download that is counted; each is a line of the history, so nobody writes too many."""
        if not self._limits.allows_link(Act.FETCH, of.visit.home):
            return too_often(self._context, of.request, Act.FETCH)
        reader, now = of.visit.reader, self._context.clock.now()
        if await self._store.download(reader.package, reader.number, now, of.visit.who, detail):
            return None
        return self._context.render("enough.html", of.request, 403, of.visit)


def _find(of: Opened) -> PartPlace:
    """Raises HTTPException for a number of no part."""
    number = of.request.path_params["number"]
    found = next((part for part in of.face.parts if part.number == number), None)
    if found is None:
        raise HTTPException(404)
    return found


def _headers(name: str, kind: str) -> dict[str, str]:
    return {**SANDBOXED, "Content-Type": kind, "Content-Disposition": disposition(name)}


def disposition(name: str) -> str:
    """The name in ASCII for what reads no better, and whole (RFC 6266 section 4.3, RFC 8187 section 3.2)."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _NOT_PLAIN.sub("_", ascii_name) if ascii_name.strip(" ._") else "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _key(package: PackageId, what: str) -> str:
    """The same for as long as the message is there, for nothing else, and telling nothing."""
    return hashlib.sha256(f"{package}/{what}".encode()).hexdigest()[:32]
