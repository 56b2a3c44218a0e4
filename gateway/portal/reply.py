"""A reply to an opened message: taken within limits, looked at by the scanner, and given to the gateway as mail.

It goes to the sender alone, in by the organisation's own way for mail from outside. Left out on purpose: writing to
anybody else, and keeping what was not sent.
"""

from datetime import timedelta
from typing import Final, assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.file_names import safe_name
from gateway.core.sealed import IDLE
from gateway.flow.ports import SealedStoreError
from gateway.portal.context import Context, came_from_us, is_proof
from gateway.portal.form_parts import LONGEST_FIELD, MOST_FILES, NotTaken, Trouble, Upload, Written
from gateway.portal.home import HOME, name_in, path_of
from gateway.portal.limits import Act, Limits, place_of
from gateway.portal.opened import Opened, ended, later, log_failure, opened
from gateway.portal.options import PageOptions
from gateway.portal.posting import Posting
from gateway.portal.reply_mail import Reply, ReplyFile, room
from gateway.portal.scanner import Clean, Found, Unscanned, parse_scanner
from gateway.portal.turns import Turns
from gateway.portal.uploads import WITH_TEXT, Budget, Incoming, announced
from gateway.portal.visitor import address_of

_TEXT: Final = "text"


def routes(context: Context) -> list[Route]:
    """The form, what it is sent to, and what is said afterwards."""
    replies = _Replies(context)
    return [
        Route(f"{HOME}/reply", opened(context, replies.form), methods=["GET"]),
        Route(f"{HOME}/reply", replies.post, methods=["POST"]),
        Route(f"{HOME}/reply/sent", opened(context, replies.sent), methods=["GET"]),
    ]


class _Replies:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._limits = Limits(context.clock.monotonic)
        self._budget = Budget()
        self._turns = Turns()
        self._posting = Posting(context)
        self._post = opened(context, self._send, otherwise=self._ended)

    async def form(self, of: Opened) -> Response:
        """An empty form."""
        return self._form(of)

    async def sent(self, of: Opened) -> Response:
        """That it is on its way."""
        return self._context.render("replied.html", of.request, visit=of.visit)

    async def post(self, request: Request) -> Response:
        """What was written comes back also where the store does not say whose session it is."""
        try:
            return await self._post(request)
        except SealedStoreError as error:
            log_failure(self._context, error)
            return later(self._context, request, await self._unsent(request))

    async def _send(self, of: Opened) -> Response:
        """Sends it, once, or says why not with what was written."""
        incoming = self._incoming(of.request, of.visit.now.key)
        try:
            self._admit(of.request, of.visit.now.page)
            size = announced(of.request, _room(of))
            async with self._turns.taking(of.visit.cookie, of.visit.home):
                with self._budget.holding() as hold:
                    if not await self._taken(of, await incoming.read(size, hold)):
                        return ended(self._context, of.request, await incoming.written(_TEXT, 0))
        except NotTaken as problem:
            return self._form(of, problem, await self._written(incoming, problem, _room(of)))
        except SealedStoreError as error:
            log_failure(self._context, error)
            return self._form(of, NotTaken(Trouble.STORE), await incoming.written(_TEXT, 0))
        return RedirectResponse(f"{of.visit.home}/reply/sent", 303)

    async def _ended(self, request: Request) -> Response:
        """Gives back what was written, where the session ended meanwhile."""
        return ended(self._context, request, await self._unsent(request))

    async def _unsent(self, request: Request) -> Written:
        """What was written by somebody who is not known; who asks too often can lose a session like all others."""
        now = self._context.in_force()
        most = 2 * now.portal.max_reply
        try:
            self._admit(request, now.page)
        except NotTaken as problem:
            if problem.trouble is not Trouble.TOO_OFTEN:
                return Written()
            most = min(most, WITH_TEXT)
        return await self._incoming(request, now.key).written(_TEXT, most)

    def _incoming(self, request: Request, key: bytes) -> Incoming:
        home = path_of(name_in(request))
        return Incoming(request, lambda given: is_proof(given, home, key))

    def _admit(self, request: Request, page: PageOptions) -> None:
        """Raises NotTaken for what another page sends, and for what is sent too often."""
        if not came_from_us(request, page):
            raise NotTaken(Trouble.FORGED)
        if not self._limits.allows(Act.REPLY, place_of(address_of(request, page))):
            raise NotTaken(Trouble.TOO_OFTEN)

    async def _written(self, incoming: Incoming, problem: NotTaken, most: int) -> Written:
        """Nothing more is read of what another page made, or of what comes too slowly."""
        return await incoming.written(_TEXT, 0 if problem.trouble in (Trouble.FORGED, Trouble.LATE) else 2 * most)

    async def _taken(self, of: Opened, upload: Upload) -> bool:
        """Sends it; False where the session has ended, since it may have taken long to arrive. Raises NotTaken."""
        reply = await self._reply(of, upload, upload.fields.get(_TEXT, ""), _room(of))
        if await self._context.visit_of(of.request) is None:
            return False
        await self._posting.send(of, reply, upload.fields.get("key", ""))
        return True

    def _form(self, of: Opened, problem: NotTaken | None = None, written: Written | None = None) -> Response:
        trouble = problem.trouble if problem is not None else None
        page = self._context.render(
            "reply.html",
            of.request,
            trouble.status if trouble is not None else 200,
            of.visit,
            trouble=trouble.name if trouble is not None else "",
            file=problem.name if problem is not None else "",
            written=written or Written(),
            key=self._context.ids.new(),
            room=_room(of),
            longest=LONGEST_FIELD,
            most_files=MOST_FILES,
            minutes=IDLE // timedelta(minutes=1),
        )
        if trouble in (Trouble.BUSY, Trouble.UNSCANNED, Trouble.STORE):
            page.headers["Retry-After"] = "60"
        return page

    async def _reply(self, of: Opened, upload: Upload, text: str, most: int) -> Reply:
        """What is to be sent. Raises NotTaken if there is nothing, too much, or something that the scanner found."""
        if not text.strip() and not upload.files:
            raise NotTaken(Trouble.EMPTY)
        files = [
            ReplyFile(safe_name(file.name) or f"file-{number}", file.content)
            for number, file in enumerate(upload.files, 1)
        ]
        if len(text.encode()) + sum(len(file.content) for file in files) > most:
            raise NotTaken(Trouble.TOO_LARGE)
        return Reply(text=text, files=files, scanned=await self._scanned(of, files))

    async def _scanned(self, of: Opened, files: list[ReplyFile]) -> bool:
        """Whether a scanner is configured and found nothing."""
        named = of.visit.now.page.scanner
        if named is None:
            return False
        scanner = parse_scanner(named)
        for file in files:
            match verdict := await scanner.scan(file.content):
                case Clean():
                    pass
                case Found():
                    self._tell(of, "portal file refused", found=verdict.name)
                    raise NotTaken(Trouble.FOUND, file.name)
                case Unscanned():
                    self._tell(of, "portal scanner failed", reason=verdict.reason)
                    raise NotTaken(Trouble.UNSCANNED)
                case _:
                    assert_never(verdict)
        return True

    def _tell(self, of: Opened, name: str, **facts: str) -> None:
        self._context.events(name, {"queue_id": of.visit.reader.queue_id, **facts})


def _room(of: Opened) -> int:
    """Bytes that a reply may have. Raises HTTPException where there are no replies."""
    most = of.visit.now.portal.max_reply
    if most == 0:
        raise HTTPException(404)
    return room(most)
