"""A browser behind a proxy that signs people in, as far as the desk can tell."""

import asyncio
import http.client
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

PROXY = "127.0.0.2"
"""The address that the desk believes."""


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def proof(self) -> str:
        """What the page's own forms hold."""
        return re.findall(r'name="proof" value="([^"]*)"', self.text)[0]

    @property
    def numbers(self) -> list[str]:
        """The recipients that wait, as the forms name them."""
        return sorted(set(re.findall(r'name="to" value="(\d+)"', self.text)), key=int)


@dataclass
class Browser:
    """One person's; ``address`` is where the connection comes from."""

    port: int
    user: str = ""
    address: str = PROXY
    origin: str | None = None

    async def get(self, url: str, **headers: str) -> Page:
        return await asyncio.to_thread(self._ask, "GET", urlsplit(url).path, None, headers)

    async def post(self, url: str, fields: list[tuple[str, str]], **headers: str) -> Page:
        return await self.send(url, urlencode(fields).encode(), **headers)

    async def send(self, url: str, body: bytes, **headers: str) -> Page:
        kind = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await asyncio.to_thread(self._ask, "POST", urlsplit(url).path, body, kind)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(self.address, 0))
        own = {"X-Remote-User": self.user} if self.user else {}
        origin = {"Origin": self.origin} if self.origin is not None else {}
        try:
            connection.request(method, path, body, {**own, **origin, **headers})
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, fields, answer.read().decode())
        finally:
            connection.close()


def fields(page: Page, action: str, *numbers: str, note: str = "") -> list[tuple[str, str]]:
    """What a form of that page sends."""
    return [("proof", page.proof), ("action", action), *(("to", number) for number in numbers), ("note", note)]
