"""What all pages of an opened message share: somebody who has unlocked it, and its face; others are asked to unlock.

Left out on purpose: how one unlocks, and what a session is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from gateway.core.sealed import Face
from gateway.portal.context import Context, Visit
from gateway.portal.form_parts import Written

SANDBOXED: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A page cannot be sandboxed and ask to be apart from others (HTML, section 7.4.5); not every browser minds.
    "Cross-Origin-Opener-Policy": "unsafe-none",
}
"""For what comes from a message itself and is no page: should a browser show it after all, nothing of it runs."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One request about a message that is open to ``visit``."""

    request: Request
    visit: Visit
    face: Face


Page: TypeAlias = Callable[[Opened], Awaitable[Response]]


def opened(
    context: Context, page: Page, *, otherwise: Callable[[Request], Awaitable[Response]] | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that shows ``page`` to somebody who has unlocked its message, and ``otherwise`` to all others."""

    async def endpoint(request: Request) -> Response:
        visit = await context.visit_of(request)
        face = await context.store.face(visit.reader.package) if visit is not None else None
        if visit is not None and face is not None:
            return await page(Opened(request, visit, face))
        return ended(context, request) if otherwise is None else await otherwise(request)

    return endpoint


def ended(context: Context, request: Request, reply: Written | None = None) -> Response:
    """For somebody whose session is over: how to begin another, and the reply that they wrote in the last."""
    return context.render("ended.html", request, 401, reply=reply)


def log_failure(context: Context, error: Exception) -> None:
    """The store's words name no content."""
    context.events("portal store", {"error": str(error)})


def later(context: Context, request: Request, reply: Written | None = None) -> Response:
    """For what is our fault and may pass: to be tried again, and the reply that they wrote."""
    response = context.render("later.html", request, 503, reply=reply)
    response.headers["Retry-After"] = "30"
    return response
