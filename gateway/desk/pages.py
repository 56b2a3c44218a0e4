"""The page of one held message: GET shows and changes nothing, POST decides, and each person does only what is theirs.

No script runs, nothing of a message becomes markup, and no page is kept by a browser or framed by another. A form
counts only with the proof that this page made it for this person.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.core.paragraph import when
from gateway.core.release_link import Link, read_link
from gateway.desk.case import Case, read_case
from gateway.desk.content import MOST_READ, Shown, show
from gateway.desk.form import Action, Form, read_form
from gateway.desk.hands import By, Hands
from gateway.desk.login import signed_in
from gateway.desk.options import DeskOptions
from gateway.flow.ports import SpoolError
from gateway.flow.release import LONGEST_NOTE, is_own, read_note
from gateway.spool.reader import ShardReader

_FOLDER: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: a browser would then send our own forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HEADINGS: Final = {403: "Not for you", 404: "Nothing here", 503: "Not now"}
_NOT_NOW: Final = "The mail gateway cannot answer at present. Nothing was changed; try again in a moment."
_GONE: Final = "This link is not one of ours, or it has run out. If you typed it, look at the letter again."
_NOBODY: Final = "Choose at least one recipient. Nothing was changed."
_QUICKER: Final = "Somebody decided this before you, or its time was over. Nothing was changed by you."


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What the configuration says now; ``key`` is the hop key."""

    options: DeskOptions
    key: bytes
    organisation: str
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A person who may decide, and what about."""

    user: str
    case: Case
    now: InForce

    @property
    def by(self) -> By:
        return By(queue_id=self.case.link.queue_id, role=self.case.link.role, user=self.user)

    @property
    def own(self) -> bool:
        return self.case.message is not None and is_own(self.case.message, self.user)

    @property
    def reads(self) -> bool:
        return self.user in self.now.options.readers


class DeskPages:
    """Builds the application. ``in_force`` may change between two requests, never within one."""

    def __init__(
        self, in_force: Callable[[], InForce], reader: ShardReader, hands: Hands, clock: Callable[[], datetime]
    ) -> None:
        self._in_force = in_force
        self._reader = reader
        self._hands = hands
        self._clock = clock
        self._templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
        self._templates.filters["when"] = when

    def application(self) -> Starlette:
        """The routes."""
        return Starlette(
            routes=[
                Route("/held/{queue_id}/{token}", self._look, methods=["GET"]),
                Route("/held/{queue_id}/{token}", self._decide, methods=["POST"]),
            ],
            exception_handlers={HTTPException: self._trouble, SpoolError: self._not_now, Exception: self._not_now},
        )

    async def _look(self, request: Request) -> Response:
        return self._page(await self._visit(request))

    async def _decide(self, request: Request) -> Response:
        visit = await self._visit(request)
        form = await read_form(request)
        origin = request.headers.get("origin", visit.now.options.origin).lower()
        ours = visit.case.link.came_from_us(form.proof, visit.user, visit.now.key)
        if origin != visit.now.options.origin or not ours:
            raise HTTPException(403, "This form was not made by this page for you. Nothing was changed.")
        match form.action:
            case Action.RELEASE | Action.GIVE_BACK if not form.numbers:
                return self._page(visit, status=400, notice=_NOBODY, note=form.note[: 2 * LONGEST_NOTE])
            case Action.RELEASE:
                return await self._release(request, visit, form)
            case Action.GIVE_BACK:
                return await self._give_back(request, visit, form)
            case Action.SHOW:
                return await self._show(visit)

    async def _visit(self, request: Request) -> _Visit:
        """Raises HTTPException for anybody, and anything, else."""
        now = self._in_force()
        user = signed_in(request, now.options)
        if user is None:
            raise HTTPException(403, "You are not signed in. Open the link in the letter again.")
        link = read_link(request.path_params["queue_id"], request.path_params["token"], now.key, self._clock())
        if link is None:
            raise HTTPException(404, _GONE)
        if not now.options.may_decide(user, link.role):
            raise HTTPException(403, f"{user} does not decide for {link.role}.")
        case = await self._case(link)
        if case is None:
            raise HTTPException(404, "Nothing is known of this message any more.")
        return _Visit(user=user, case=case, now=now)

    async def _case(self, link: Link) -> Case | None:
        return await asyncio.to_thread(read_case, self._reader, link)

    async def _release(self, request: Request, visit: _Visit, form: Form) -> Response:
        if visit.own:
            raise HTTPException(403, "This is your own message: somebody else has to release it. Nothing was changed.")
        return await self._after(request, visit, form, await self._hands.release(visit.by, form.numbers))

    async def _give_back(self, request: Request, visit: _Visit, form: Form) -> Response:
        try:
            note = read_note(form.note)
        except ValueError as error:
            notice = f"Nothing was changed: {error}."
            return self._page(visit, status=400, notice=notice, note=form.note[: 2 * LONGEST_NOTE])
        return await self._after(request, visit, form, await self._hands.give_back(visit.by, form.numbers, note))

    async def _after(self, request: Request, visit: _Visit, form: Form, problem: str | None) -> Response:
        """Done: back to the page, which says so. Not done: why not."""
        if problem is None:
            return RedirectResponse(request.path_params["token"], status_code=303, headers=HEADERS)
        case = await self._case(visit.case.link) or visit.case
        again = _Visit(user=visit.user, case=case, now=visit.now)
        if form.numbers.isdisjoint(row.number for row in case.waiting):
            return self._page(again, status=409, notice=_QUICKER)
        return self._page(again, status=503, notice=f"Nothing was changed: {problem}.", note=form.note)

    async def _show(self, visit: _Visit) -> Response:
        if not visit.reads:
            raise HTTPException(403, f"{visit.user} may not see what messages say.")
        message, waiting = visit.case.message, visit.case.waiting
        if message is None or not waiting:
            return self._page(visit, status=409, notice=_QUICKER)
        # First it is recorded, then it is read.
        problem = await self._hands.shown(visit.by, waiting[0].number)
        if problem is not None:
            return self._page(visit, status=503, notice=f"It cannot be shown: {problem}.")
        beginning = await asyncio.to_thread(self._reader.beginning, message.queue_id, MOST_READ)
        files = message.facts.attachments if message.facts is not None else ()
        shown = await asyncio.to_thread(show, beginning, message.body.size, files)
        if shown is None:
            return self._page(visit, notice="The message is too unusual to be shown here.")
        return self._page(visit, shown=shown)

    def _page(
        self, visit: _Visit, *, status: int = 200, notice: str = "", note: str = "", shown: Shown | None = None
    ) -> Response:
        return self._html(
            "case.html",
            status,
            visit.now,
            user=visit.user,
            case=visit.case,
            proof=visit.case.link.form_token(visit.user, visit.now.key),
            own=visit.own,
            reads=visit.reads,
            longest=LONGEST_NOTE,
            notice=notice,
            note=note,
            shown=shown,
        )

    async def _trouble(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = error.detail if isinstance(error, HTTPException) else _NOT_NOW
        return self._message(status, _HEADINGS.get(status, "Not done"), text)

    async def _not_now(self, _request: Request, _error: Exception) -> Response:
        return self._message(503, _HEADINGS[503], _NOT_NOW)

    def _message(self, status: int, heading: str, text: str) -> Response:
        return self._html("message.html", status, self._in_force(), user="", heading=heading, text=text)

    def _html(self, template: str, status: int, now: InForce, **values: object) -> Response:
        # Our own file, whose hash the policy names: escaped, it would be another.
        whole = {"organisation": now.organisation, "contact": now.contact, "style": Markup(_STYLE), **values}  # noqa: S704
        return HTMLResponse(self._templates.get_template(template).render(whole), status, headers=HEADERS)
