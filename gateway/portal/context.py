"""What all pages share: the configuration in force, the store, who visits, how a page is rendered and a form proven.

No script runs, nothing comes from elsewhere, and no page is kept by a browser or framed by another (CSP level 3). Left
out on purpose: what each page says.
"""

import base64
import hashlib
import hmac
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.core.report import Identity, Stamp
from gateway.core.sealed import Reader
from gateway.core.sizes import roughly
from gateway.flow.options import PortalOptions
from gateway.flow.ports import Clock, Ids, SealedStore
from gateway.portal.home import cookie_name, name_in, name_of, path_of
from gateway.portal.language import translations_for
from gateway.portal.options import PageOptions

_FOLDER: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PURPOSE: Final = b"sealpost portal form v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What the configuration says now. ``key`` is the hop key, which signs forms and senders' links."""

    page: PageOptions
    portal: PortalOptions
    identity: Identity
    key: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader who has shown a code or passphrase, by the name that they gave."""

    reader: Reader
    who: str
    cookie: str
    now: InForce

    @property
    def home(self) -> str:
        """The path that all their pages lie under."""
        return path_of(name_of(self.reader))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """For all requests. ``in_force`` may change between two of them; ``events`` logs a line without content."""

    in_force: Callable[[], InForce]
    store: SealedStore
    clock: Clock
    ids: Ids
    events: Callable[[str, Mapping[str, str]], None]

    async def visit_of(self, request: Request) -> Visit | None:
        """Who visits, where the path is theirs; None without a living session."""
        now = self.in_force()
        cookie = request.cookies.get(cookie_name(now.page, name_in(request)), "")
        found = await self.store.session(cookie, self.clock.now()) if cookie else None
        if found is None or name_of(found[0]) != name_in(request):
            return None
        return Visit(found[0], found[1], cookie, now)

    def render(
        self, name: str, request: Request, status: int = 200, visit: Visit | None = None, **values: object
    ) -> HTMLResponse:
        """A page in the visitor's language. Without a visit its forms carry no proof but those that they are given."""
        now = self.in_force()
        environment = _environment(now.page.languages, language := self._language(request, now.page))
        page = environment.get_template(name).render(
            portal=now.portal,
            contact=now.identity.contact,
            logo=_logo(now.page.logo),
            style=_STYLE,
            lang=language,
            visit=visit,
            proof=proof(visit.home, now.key) if visit is not None else "",
            **values,
        )
        return HTMLResponse(page, status, headers={"Content-Language": language, "Vary": "Accept-Language"})

    def _language(self, request: Request, page: PageOptions) -> str:
        return translations_for(page.languages, request.headers.get("accept-language", "")).language

    def stamp(self) -> Stamp:
        """What makes the next mail unique."""
        return Stamp(now=self.clock.now(), message_id=self.ids.new(), boundary=self.ids.new())


def proof(about: str, key: bytes) -> str:
    """What a form carries that our page made for this reader, or this link."""
    own = hmac.digest(key, _PURPOSE, "sha256")
    return base64.urlsafe_b64encode(hmac.digest(own, about.encode(), "sha256")).decode().rstrip("=")


def is_proof(given: str, about: str, key: bytes) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(proof(about, key).encode(), given.encode("utf-8", "backslashreplace"))


def came_from_us(request: Request, page: PageOptions) -> bool:
    """Whether a browser says that the form is on a page of ours; one that says nothing is not refused for that."""
    origin = request.headers.get("origin", page.origin).lower()
    return origin == page.origin and request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def secured(response: Response, page: PageOptions) -> Response:
    """The response with every field that limits what a browser does with it; a page's own CSP stays."""
    fields = {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; frame-src 'self';"
            " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not no-referrer: a browser would then send our own forms with the origin "null".
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
    }
    if page.url.startswith("https:"):
        fields["Strict-Transport-Security"] = "max-age=63072000"
    for name, value in fields.items():
        response.headers.setdefault(name, value)
    return response


@cache
def _environment(languages: Path | None, language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )

    def when(moment: datetime) -> Markup:
        """A moment in the page's language; the template has escaped it."""
        return Markup(environment.get_template("moment.html").render(moment=moment))  # noqa: S704

    environment.filters["when"] = when
    environment.filters["roughly"] = roughly
    catalogue = translations_for(languages, language).catalogue
    # The extension adds it; the stubs of jinja2 do not know that.
    install = getattr(environment, "install_gettext_translations")  # noqa: B009
    install(catalogue, newstyle=True)
    return environment


@cache
def _logo(path: Path | None) -> str:
    """The picture as a data URL, so that it needs no request of its own; empty without one."""
    if path is None:
        return ""
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
