"""The sender's page of a sealed message, by the signed link in their confirmation: who opened it, and closing it.

Whoever has the link may do all of this, so it goes inside the organisation alone, and shows no content and no secret.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.sealed import PackageId, Reader
from gateway.core.sender_link import read_sender_link
from gateway.portal.context import Context, came_from_us, is_proof, proof
from gateway.portal.form import read_form
from gateway.portal.landing import too_often
from gateway.portal.limits import Act, Limits, place_of
from gateway.portal.visitor import address_of

_WHO: Final = "the sender, by their link"


@dataclass(frozen=True, slots=True)
class _Sent:
    """A package whose sender has a good link."""

    package: PackageId
    readers: tuple[Reader, ...]


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
        sent = await self._sent(request)
        return sent if isinstance(sent, Response) else self._page(request, sent)

    async def _act(self, request: Request) -> Response:
        sent = await self._sent(request)
        if isinstance(sent, Response):
            return sent
        now, form = self._context.in_force(), await read_form(request)
        if not (came_from_us(request, now.page) and is_proof(form.get("proof", ""), _about(sent), now.key)):
            return self._page(request, sent, status=403, problem="form")
        action = form.get("action", "")
        if action == "erase" and form.get("sure") != "yes":
            return self._page(request, sent, status=422, problem="sure")
        if not await self._do(sent, action, form.get("number", "")):
            return self._page(request, sent, status=422, problem="nothing")
        self._context.events("portal sender", {"package": sent.package, "action": action})
        return RedirectResponse(request.url.path, 303)

    async def _do(self, sent: _Sent, action: str, number: str) -> bool:
        store, package, at = self._context.store, sent.package, self._context.clock.now()
        # Without a number it is for all; a number that no reader has is for nobody.
        if number and number not in {str(reader.number) for reader in sent.readers}:
            return False
        only = int(number) if number else None
        match action:
            case "revoke":
                return await store.revoke(package, only, at, _WHO) > 0
            case "restore":
                return await store.restore(package, only, at, _WHO) > 0
            case "extend":
                return await store.extend(package, at + sent.readers[0].lasts, at, _WHO)
            case "erase":
                return await store.erase(package, at, _WHO)
            case _:
                return False

    async def _sent(self, request: Request) -> _Sent | Response:
        """What a good link is about; else the page that all others get."""
        now, token = self._context.in_force(), request.path_params["token"]
        place = place_of(address_of(request, now.page))
        if not (self._limits.allows(Act.LOOK, place) and self._limits.allows_link(Act.LOOK, token)):
            return too_often(self._context, request, Act.LOOK)
        at = self._context.clock.now()
        link = read_sender_link(request.path_params["package"], token, now.key, at)
        # A bad link asks the store all the same, so that it takes as long.
        readers = await self._context.store.readers(link.package if link is not None else PackageId(""), at)
        if link is None or not readers:
            return self._context.render("gone.html", request, status=404)
        return _Sent(link.package, readers)

    def _page(self, request: Request, sent: _Sent, *, status: int = 200, problem: str = "") -> Response:
        return self._context.render(
            "sent.html",
            request,
            status=status,
            readers=sent.readers,
            path=request.url.path,
            form=proof(_about(sent), self._context.in_force().key),
            problem=problem,
        )


def _about(sent: _Sent) -> str:
    return f"sent {sent.package}"
