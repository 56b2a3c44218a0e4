"""A browser as far as an ASGI application can tell: one request at a time, and its whole answer."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message

HOST = "secure.council.example"
BOUNDARY = "----WebKitFormBoundaryABC123"


@dataclass(frozen=True)
class Answer:
    """``blocks`` are the pieces in which the body came."""

    status: int
    headers: dict[str, str]
    blocks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.blocks)

    @property
    def text(self) -> str:
        return self.body.decode()

    def field(self, name: str) -> str:
        """What a hidden field of the page's form holds."""
        return re.findall(rf'name="{name}" value="([^"]*)"', self.text)[0]


@dataclass
class Caller:
    """``read`` counts the blocks of the last request that were taken; ``address`` is where the connection is from.

    A path that does not begin with "/" is below ``home``, the page of what was opened; "." is that page.
    """

    app: ASGIApp
    cookie: str = ""
    home: str = "/read/0123456789abcdef"
    read: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    address: str = "198.51.100.7"

    async def get(self, url: str, method: str = "GET", **headers: str) -> Answer:
        return await self.send(method, url, [], {name.replace("_", "-"): value for name, value in headers.items()})

    async def post(self, url: str, parts: Sequence[bytes], **headers: str) -> Answer:
        """A form of those parts, each in a block of its own."""
        blocks = [*parts, f"--{BOUNDARY}--\r\n".encode()]
        kind = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(sum(map(len, blocks))),
            "Origin": f"https://{HOST}",
        }
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", url, blocks, {**kind, **own})

    def cookies(self) -> str:
        """What is sent with every request."""
        return f"{cookie_of(self.home)}={self.cookie}" if self.cookie else ""

    async def send(self, method: str, url: str, blocks: Sequence[bytes], headers: dict[str, str]) -> Answer:
        parts = urlsplit(url if url.startswith("/") else f"{self.home}/{url}".removesuffix("/.").replace("/?", "?"))
        own = {"Host": HOST, **({"Cookie": kept} if (kept := self.cookies()) else {}), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in own.items()],
            "client": (self.address, 40000),
            "server": (HOST, 443),
        }
        said: list[Message] = []
        self.read = 0

        async def receive() -> Message:
            if self.read >= max(1, len(blocks)):
                await asyncio.Event().wait()  # The connection stays.
            self.read += 1
            body = blocks[self.read - 1] if blocks else b""
            return {"type": "http.request", "body": body, "more_body": self.read < len(blocks)}

        async def send(message: Message) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        [start, *rest] = said
        fields = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], fields, [message["body"] for message in rest])


def cookie_of(home: str) -> str:
    return f"__Host-reading-{home.rpartition('/')[2]}"


def form_field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def form_file(name: str, content: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
    return head.encode() + b"Content-Type: x/y\r\n\r\n" + content + b"\r\n"
