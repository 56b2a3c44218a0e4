"""The sender's page of a sealed message, by the signed link in their confirmation: who opened it, and closing it.

Whoever has the link may do all of this, so it goes inside the organisation alone, and shows no content and no secret.
"""

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.sealed import PackageId, Reader
from gateway.core.sender_link import SenderLink, read_sender_link
from gateway.portal.context import Context, InForce, came_from_us, is_proof, proof
from gateway.portal.form import read_form
from gateway.portal.limits import Act, Limits, place_of
from gateway.portal.visitor import address_of

_EXTENSION: Final = timedelta(days=28)
_WHO: Final = "the sender, by their link"


class SenderPages:
    """One page that looks, and one that acts."""

    def __init__(self, context: Context, limits: Limits) -> None:
        self._context = context
        self._limits = limits

    def routes(self) -> list[Route]:
        """Both."""
        path = "/sent/{package}/{token}"
        return [Route(path, self._look, methods=["GET"]), Route(path, self._act, methods=["POST"])]

    async def _look(self, request: Request) -> Response:
        link = self._link(request)
        readers = await self._readers(link)
        if link is None or not readers:
            return self._context.render("gone.html", request, status=404)
        return self._page(request, readers)

    async def _act(self, request: Request) -> Response:
        link = self._link(request)
        readers = await self._readers(link)
        if link is None or not readers:
            return self._context.render("gone.html", request, status=404)
        now, form = self._context.in_force(), await read_form(request)
        if not (came_from_us(request, now.page) and is_proof(form.get("proof", ""), _about(request), now.key)):
            return self._page(request, readers, status=403, problem="form")
        action, number = form.get("action", ""), _number(form.get("number", ""))
        if action == "erase" and form.get("sure") != "yes":
            return self._page(request, readers, status=422, problem="sure")
        if not await self._do(link.package, action, number):
            return self._page(request, readers, status=422, problem="nothing")
        return RedirectResponse(request.url.path, 303)

    async def _do(self, package: PackageId, action: str, number: int | None) -> bool:
        store, at = self._context.store, self._context.clock.now()
        match action:
            case "revoke":
                return await store.revoke(package, number, at, _WHO) > 0
            case "restore":
                return await store.restore(package, number, at, _WHO) > 0
            case "extend":
                return await store.extend(package, at + _EXTENSION, at, _WHO)
            case "erase":
                return await store.erase(package, at, _WHO)
            case _:
                return False

    def _link(self, request: Request) -> SenderLink | None:
        now = self._context.in_force()
        if not self._limits.allows(Act.LOOK, place_of(address_of(request, now.page))):
            return None
        package, token = request.path_params["package"], request.path_params["token"]
        return read_sender_link(package, token, now.key, self._context.clock.now())

    async def _readers(self, link: SenderLink | None) -> tuple[Reader, ...]:
        """A bad link asks the store all the same, so that it takes as long."""
        package = link.package if link is not None else PackageId("")
        return await self._context.store.readers(package, self._context.clock.now())

    def _page(self, request: Request, readers: tuple[Reader, ...], *, status: int = 200, problem: str = "") -> Response:
        now: InForce = self._context.in_force()
        return self._context.render(
            "sent.html",
            request,
            status=status,
            readers=readers,
            path=request.url.path,
            form=proof(_about(request), now.key),
            problem=problem,
        )


def _about(request: Request) -> str:
    return f"sent {request.path_params['package']}"


def _number(text: str) -> int | None:
    """A reader's number; None for all of them."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
