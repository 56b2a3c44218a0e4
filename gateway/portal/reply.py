"""A reply to an opened message: taken within limits, looked at by the scanner, and given to the gateway as mail.

It goes to the sender alone, in by the organisation's own way for mail from outside. Left out on purpose: writing to
anybody else, and keeping what was not sent.
"""

import asyncio
from datetime import timedelta
from typing import Final, assert_never

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.file_names import safe_name
from gateway.core.record import Kind
from gateway.core.sealed import Happening, OwnMail
from gateway.portal.context import Context, came_from_us, is_proof
from gateway.portal.form_parts import MOST_FILES, NotTaken, Trouble, Upload
from gateway.portal.limits import Act, Limits, place_of
from gateway.portal.opened import Opened, ended, opened
from gateway.portal.reply_mail import Headline, Reply, ReplyFile, build_reply, digest_of, message_id_of, room
from gateway.portal.scanner import Clean, Found, Unscanned, parse_scanner
from gateway.portal.shown import beginning
from gateway.portal.turns import Turns
from gateway.portal.uploads import Budget, announced, discard, read_upload
from gateway.portal.visitor import address_of

SENT: Final = "/reply/sent"
_MOST_A_DAY: Final = 20
"""Replies of one reader; more is no conversation."""
_DAY: Final = timedelta(days=1)
_HEADER_BYTES: Final = 32 * 1024


def routes(context: Context) -> list[Route]:
    """The form, what it is sent to, and what is said afterwards."""
    replies = _Replies(context)
    return [
        Route("/reply", opened(context, replies.form), methods=["GET"]),
        Route("/reply", opened(context, replies.send), methods=["POST"]),
        Route(SENT, opened(context, replies.sent), methods=["GET"]),
    ]


class _Replies:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._limits = Limits(context.clock.monotonic)
        self._budget = Budget()
        self._turns = Turns()
        # One after the other: a mail is in memory several times while it is built, and no reply is sent twice.
        self._sending = asyncio.Lock()

    async def form(self, of: Opened) -> Response:
        """An empty form."""
        return self._form(of)

    async def sent(self, of: Opened) -> Response:
        """That it is on its way."""
        return self._context.render("replied.html", of.request, visit=of.visit)

    async def send(self, of: Opened) -> Response:
        """Sends it, once, or says why not with what was written."""
        most = _room(of)
        text = ""
        try:
            if not came_from_us(of.request, of.visit.now.page):
                raise NotTaken(Trouble.FORGED)
            if not self._limits.allows(Act.REPLY, place_of(address_of(of.request, of.visit.now.page))):
                raise NotTaken(Trouble.TOO_OFTEN)
            size = announced(of.request, most)
            async with self._turns.taking(of.visit.cookie, f"{of.visit.reader.package}/{of.visit.reader.number}"):
                with self._budget.holding() as hold:
                    upload = await read_upload(of.request, size, lambda given: _is_ours(of, given), hold)
                    text = upload.fields.get("text", "")
                    reply = await self._reply(of, upload, text, most)
                    # It may have taken long to arrive.
                    if await self._context.visit_of(of.request) is None:
                        return ended(self._context, of.request)
                    await self._send(of, reply, upload.fields.get("key", ""))
        except NotTaken as problem:
            if problem.trouble in (Trouble.TOO_LARGE, Trouble.BUSY):
                await discard(of.request, 2 * most)
            return self._form(of, problem, text)
        return RedirectResponse(SENT, 303)

    def _form(self, of: Opened, problem: NotTaken | None = None, text: str = "") -> Response:
        trouble = problem.trouble if problem is not None else None
        page = self._context.render(
            "reply.html",
            of.request,
            trouble.status if trouble is not None else 200,
            of.visit,
            trouble=trouble.name if trouble is not None else "",
            file=problem.name if problem is not None else "",
            text=text,
            key=self._context.ids.new(),
            room=_room(of),
            most_files=MOST_FILES,
        )
        if trouble in (Trouble.BUSY, Trouble.UNSCANNED):
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

    async def _send(self, of: Opened, reply: Reply, key: str) -> None:
        """Puts it into the store, unless the same was sent before: a form may come twice."""
        reader, now = of.visit.reader, self._context.clock.now()
        message_id = f"{digest_of(key, reply)}@{of.visit.now.identity.hostname}"
        async with self._sending:
            before = [
                one
                for one in await self._context.store.history(reader.package)
                if one.what is Happening.REPLIED and one.number == reader.number
            ]
            if any(one.detail == message_id for one in before):
                return
            if sum(one.at > now - _DAY for one in before) >= _MOST_A_DAY:
                raise NotTaken(Trouble.TOO_OFTEN)
            await self._context.store.post(await self._mail(of, reply, message_id))
            await self._context.store.note(
                reader.package, reader.number, Happening.REPLIED, now, who=of.visit.who, detail=message_id
            )
        self._tell(of, "portal reply", files=str(len(reply.files)), scanned=str(reply.scanned).lower())

    async def _mail(self, of: Opened, reply: Reply, message_id: str) -> OwnMail:
        reader, portal = of.visit.reader, of.visit.now.portal
        header = await beginning(self._context.store.read(reader.package, 0, _HEADER_BYTES))
        head = Headline(
            reader=reader,
            who=of.visit.who,
            sender=portal.sender,
            subject=of.face.subject,
            message_id=message_id,
            answers=message_id_of(header),
            now=self._context.clock.now(),
        )
        return OwnMail(
            kind=Kind.REPLY,
            to=reader.sender,
            text=await asyncio.to_thread(build_reply, head, reply),
            reason="a reply from the portal",
            message_id=message_id,
            package=reader.package,
            number=reader.number,
            queue_id=reader.queue_id,
        )

    def _tell(self, of: Opened, name: str, **facts: str) -> None:
        self._context.events(name, {"queue_id": of.visit.reader.queue_id, **facts})


def _room(of: Opened) -> int:
    """Bytes that a reply may have. Raises HTTPException where there are no replies."""
    most = of.visit.now.portal.max_reply
    if most == 0:
        raise HTTPException(404)
    return room(most)


def _is_ours(of: Opened, given: str) -> bool:
    return is_proof(given, of.visit.cookie, of.visit.now.key)
