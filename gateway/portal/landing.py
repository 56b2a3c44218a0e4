"""Where a reader's link leads: a page that changes nothing by being fetched, the code, and opening the message.

A link that never was, has expired, or was revoked, disowned or erased, gives the same page after the same work. Left
out on purpose: what is read after that.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.sealed import Access, Closed, Happening, Reader, Secret, Unlocked, Wrong
from gateway.core.sealing import Unlock
from gateway.portal.context import Context, InForce, came_from_us, is_proof, proof
from gateway.portal.form import read_form
from gateway.portal.home import cookie_name, name_of, path_of, surplus
from gateway.portal.letters import Letters
from gateway.portal.limits import Act, Limits, place_of
from gateway.portal.visitor import address_of

_LONGEST_NAME: Final = 80
_SHOWN: Final = frozenset({Access.OPEN, Access.LOCKED})


@dataclass(frozen=True, slots=True)
class _Guest:
    """Somebody with a good link."""

    reader: Reader
    token: str
    now: InForce


class Landing:
    """The pages of one link."""

    def __init__(self, context: Context, limits: Limits) -> None:
        self._context = context
        self._limits = limits

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/m/{token}", self._look, methods=["GET"]),
            Route("/m/{token}/code", self._send_code, methods=["POST"]),
            Route("/m/{token}/open", self._open, methods=["POST"]),
            Route("/m/{token}/not-for-me", self._ask_disown, methods=["GET"]),
            Route("/m/{token}/not-for-me", self._disown, methods=["POST"]),
        ]

    async def _look(self, request: Request) -> Response:
        guest = await self._guest(request, Act.LOOK)
        if isinstance(guest, Response):
            return guest
        if request.method == "GET":
            await self._note_landing(guest.reader)
        sent = request.query_params.get("code") == "sent"
        return self._page(request, guest, sent=sent)

    async def _note_landing(self, reader: Reader) -> None:
        """Now and then, so that a scanner that comes often does not fill the history."""
        if self._limits.allows(Act.NOTE, f"{reader.package}/{reader.number}"):
            await self._context.store.note(reader.package, reader.number, Happening.LANDED, self._context.clock.now())

    async def _send_code(self, request: Request) -> Response:
        guest = await self._guest(request, Act.CODE)
        if isinstance(guest, Response):
            return guest
        if (refused := await self._refused(request, guest)) is not None:
            return refused
        reader = guest.reader
        code = await self._context.store.ask_code(reader.package, reader.number, self._context.clock.now())
        if code is None:
            return self._page(request, guest, status=429, problem="codes")
        await Letters(self._context, guest.now, reader).code(code)
        self._context.events("portal code", {"package": reader.package})
        return RedirectResponse(f"/m/{guest.token}?code=sent", 303)

    async def _open(self, request: Request) -> Response:
        guest = await self._guest(request, Act.OPEN)
        if isinstance(guest, Response):
            return guest
        form = await read_form(request)
        if not self._ours(request, guest, form.get("proof", "")):
            return self._page(request, guest, status=403, problem="form")
        secret, who = form.get("secret", ""), _name(form.get("who", ""))
        if not secret.strip():
            return self._page(request, guest, status=422, problem="empty", who=who)
        reader, store = guest.reader, self._context.store
        tried = await store.unlock(reader.package, reader.number, secret, self._context.clock.now())
        match tried:
            case Unlocked(by=by):
                return await self._opened(request, guest, who, by)
            case Wrong(left=left) if left:
                return self._page(request, guest, status=422, problem="wrong", left=left, who=who)
            case Wrong():
                await Letters(self._context, guest.now, reader).locked()
                return self._context.render("locked.html", request, status=403, reader=reader)
            case Closed():
                return await self._closed(request, guest)

    async def _closed(self, request: Request, guest: _Guest) -> Response:
        """Where it is open all the same, the same form came twice: the other one opens it."""
        reader = await self._context.store.find(guest.token, self._context.clock.now())
        if reader is not None and reader.access is Access.OPEN:
            return RedirectResponse(path_of(name_of(reader)), 303)
        return self._context.render("locked.html", request, status=403, reader=guest.reader)

    async def _opened(self, request: Request, guest: _Guest, who: str, by: Secret) -> Response:
        reader, context = guest.reader, self._context
        opening = await context.store.open_session(reader.package, reader.number, who, context.clock.now(), by)
        if opening is None:
            return context.render("gone.html", request, status=404)
        if guest.now.portal.receipts and opening.first:
            await Letters(context, guest.now, reader).opened(who)
        context.events("portal opened", {"package": reader.package, "by": by})
        home, secure = name_of(reader), guest.now.page.url.startswith("https:")
        response = RedirectResponse(path_of(home), 303)
        response.set_cookie(
            cookie_name(guest.now.page, home), opening.cookie, path="/", secure=secure, httponly=True, samesite="lax"
        )
        for name in surplus(request, guest.now.page, home):
            response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")
        return response

    async def _ask_disown(self, request: Request) -> Response:
        guest = await self._guest(request, Act.LOOK)
        if isinstance(guest, Response):
            return guest
        return self._context.render(
            "disown.html", request, reader=guest.reader, token=guest.token, form=self._proof(guest)
        )

    async def _disown(self, request: Request) -> Response:
        guest = await self._guest(request, Act.OPEN)
        if isinstance(guest, Response):
            return guest
        if (refused := await self._refused(request, guest)) is not None:
            return refused
        return await disown(self._context, request, guest.reader, "", guest.now)

    async def _guest(self, request: Request, act: Act) -> _Guest | Response:
        """Who has a good link; else the page that all others get."""
        now, token = self._context.in_force(), request.path_params["token"]
        place = place_of(address_of(request, now.page))
        if not (self._limits.allows(act, place) and self._limits.allows_link(act, token)):
            return too_often(self._context, request, act)
        reader = await self._context.store.find(token, self._context.clock.now())
        if reader is None or reader.access not in _SHOWN:
            return self._context.render("gone.html", request, status=404)
        if reader.access is Access.LOCKED:
            return self._context.render("locked.html", request, status=403, reader=reader)
        return _Guest(reader, token, now)

    async def _refused(self, request: Request, guest: _Guest) -> Response | None:
        form = await read_form(request)
        if self._ours(request, guest, form.get("proof", "")):
            return None
        return self._page(request, guest, status=403, problem="form")

    def _ours(self, request: Request, guest: _Guest, given: str) -> bool:
        return came_from_us(request, guest.now.page) and is_proof(given, guest.token, guest.now.key)

    def _proof(self, guest: _Guest) -> str:
        return proof(guest.token, guest.now.key)

    def _page(
        self,
        request: Request,
        guest: _Guest,
        *,
        status: int = 200,
        problem: str = "",
        left: int = 0,
        sent: bool = False,
        who: str = "",
    ) -> Response:
        return self._context.render(
            "landing.html",
            request,
            status=status,
            reader=guest.reader,
            token=guest.token,
            form=self._proof(guest),
            problem=problem,
            left=left,
            sent=sent,
            who=who,
            by_mail=guest.reader.unlock is not Unlock.PASSPHRASE,
            by_passphrase=guest.reader.unlock.has_passphrase or guest.reader.agreed,
            verified=guest.reader.unlock is Unlock.VERIFIED_MAIL,
        )


async def disown(context: Context, request: Request, reader: Reader, who: str, now: InForce) -> Response:
    """Locks the message for this reader, tells those who have to know, and says thank you."""
    if await context.store.disown(reader.package, reader.number, context.clock.now(), who):
        await Letters(context, now, reader).disowned(who)
        context.events("portal disowned", {"package": reader.package})
    return context.render("disowned.html", request, reader=reader)


def too_often(context: Context, request: Request, act: Act) -> Response:
    """For an address or a link that does something more often than people do."""
    response = context.render("busy.html", request, status=429)
    response.headers["Retry-After"] = str(2 * act.again)
    return response


def _name(text: str) -> str:
    """What somebody calls themselves: one printable line."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:_LONGEST_NAME]
