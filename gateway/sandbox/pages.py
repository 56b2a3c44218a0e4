"""The inbox in a browser and for scripts: a list, a page per message, ``/messages.json`` and the bytes as received.

It shows strangers' mail, so nothing in a message becomes markup, no page runs a script, and only loopback names reach
it (a page elsewhere that resolves its name to 127.0.0.1 does not).
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gateway.core.grade import Grade, grade_of_evidence
from gateway.core.sizes import roughly
from gateway.core.tls import Evidence
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.evidence import GatewayEvidence
from gateway.sandbox.inbox import Inbox
from gateway.sandbox.reading import read_message, subject_of

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """Builds the web application over an inbox."""

    def __init__(self, inbox: Inbox, evidence: GatewayEvidence) -> None:
        self._inbox = inbox
        self._evidence = evidence
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters |= {"size": roughly, "clock": _clock, "subject": _subject, "grade": grade_of_evidence}

    def application(self) -> Starlette:
        """The routes."""
        return Starlette(
            routes=[
                Route("/", self._list),
                Route("/messages.json", self._json),
                Route("/messages/{id}.eml", self._raw),
                Route("/messages/{id}", self._message),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        )

    async def _list(self, _request: Request) -> Response:
        arrivals = self._inbox.newest()
        return self._page("list.html", arrivals=arrivals, evidence=await self._evidence.of(arrivals), grades=Grade)

    async def _message(self, request: Request) -> Response:
        arrival = self._find(request)
        evidence = (await self._evidence.of([arrival]))[arrival.id]
        return self._page("message.html", arrival=arrival, evidence=evidence, reading=read_message(arrival.content))

    async def _json(self, _request: Request) -> Response:
        arrivals = self._inbox.newest()
        evidence = await self._evidence.of(arrivals)
        return JSONResponse([as_json(arrival, evidence[arrival.id]) for arrival in arrivals], headers=_HEADERS)

    async def _raw(self, request: Request) -> Response:
        arrival = self._find(request)
        disposition = {"Content-Disposition": f'attachment; filename="{arrival.id}.eml"'}
        return Response(arrival.content, media_type="message/rfc822", headers=_HEADERS | disposition)

    def _find(self, request: Request) -> Arrival:
        id: str = request.path_params["id"]
        arrival = self._inbox.get(id)
        if arrival is None:
            raise HTTPException(404, "No such message; the inbox keeps the newest ones only.")
        return arrival

    def _page(self, template: str, **values: object) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(values), headers=_HEADERS)


def as_json(arrival: Arrival, evidence: Evidence | None) -> dict[str, object]:
    """One line of ``/messages.json``; scripts rely on its keys. ``time`` is RFC 3339 UTC, ``size`` in bytes."""
    tls = None
    if arrival.tls is not None:
        tls = {
            "version": arrival.tls.version,
            "cipher": arrival.tls.cipher,
            "verified": evidence.verified if evidence else None,
            "grade": grade_of_evidence(evidence).value if evidence else None,
        }
    return {
        "id": arrival.id,
        "time": arrival.time.isoformat(),
        "mx": arrival.mx,
        "mail_from": arrival.mail_from,
        "rcpt_to": list(arrival.rcpt_to),
        "tls": tls,
        "size": len(arrival.content),
    }


def _clock(time: datetime) -> str:
    return f"{time.astimezone():%H:%M:%S}"


def _subject(arrival: Arrival) -> str:
    return subject_of(arrival.content) or "(no subject)"
