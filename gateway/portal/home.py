"""Where the pages of what one reader has opened lie: a path and a cookie for each, so that two can be open at once.

The name in both says nothing and stays the same, so a form that was begun in one session is still good in the next.
Left out on purpose: the session (`gateway.core.sealed.Opening`), whose cookie's value alone opens anything.
"""

import hashlib
from typing import Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from gateway.core.sealed import Reader
from gateway.portal.options import PageOptions

_FOLDER: Final = "/read/"
HOME: Final = _FOLDER + "{home:home}"
"""Of the routes below it; any other path is nobody's, so that a cookie's name is made of none."""
MOST_OPEN: Final = 30
"""Messages of one browser: 30 cookies have 2.5 KB, and many a proxy takes 8 KB of fields."""
_COOKIE: Final = "reading"


class _Name(Convertor[str]):
    """See ``name_of``."""

    regex = "[0-9a-f]{16}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("home", _Name())


def name_of(reader: Reader) -> str:
    """16 hexadecimal digits, which are no secret."""
    return hashlib.sha256(f"{reader.package}/{reader.number}".encode()).hexdigest()[:16]


def path_of(name: str) -> str:
    """The page of the message; all others are below it."""
    return _FOLDER + name


def name_in(request: Request) -> str:
    """Which one a request is about."""
    return request.path_params["home"]


def cookie_name(page: PageOptions, name: str) -> str:
    """With the prefix that ties it to this host and path, where there is TLS (RFC 6265bis section 4.1.3.2)."""
    return f"{_beginning(page)}{name}"


def surplus(request: Request, page: PageOptions, opened: str) -> list[str]:
    """Cookies of messages opened so long ago that ``opened`` would make the field too long for a proxy, oldest first.

    That one may be among those that are sent, from an earlier session.
    """
    own = cookie_name(page, opened)
    ours = [name for name in request.cookies if name.startswith(_beginning(page)) and name != own]
    return ours[: max(0, len(ours) - MOST_OPEN + 1)]


def _beginning(page: PageOptions) -> str:
    return f"{'__Host-' if page.url.startswith('https:') else ''}{_COOKIE}-"
