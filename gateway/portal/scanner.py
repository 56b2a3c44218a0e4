"""The scanner that looks at files from outside: clamd or an ICAP server, one connection for each file.

What it cannot tell is never taken for clean. Left out on purpose: ICAP's preview and its OPTIONS, because a file of
some megabytes is sent whole; TLS, because a scanner is a neighbour.
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from gateway.portal.neighbour import NoAnswer, Tcp, Unix, ask

_BLOCK: Final = 256 * 1024
_LONGEST_NAME: Final = 100
_TYPE: Final = "application/octet-stream"
_CLAMD_PORT: Final = 3310
_ICAP_PORT: Final = 1344
_FORMS: Final = (
    "a scanner is clamd:/run/clamav/clamd.ctl, clamd://127.0.0.1:3310 or icap://127.0.0.1:1344/avscan, and not this"
)
# X-Infection-Found is of the ICAP extensions draft; the others are what products send.
_INFECTION: Final = re.compile(rb"^(?:X-Infection-Found|X-Virus-ID|X-Violations-Found):[ \t]*(.*)$", re.I | re.M)
_THREAT: Final = re.compile(rb"Threat=([^;]*)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"ICAP/1\.\d (\d{3})\b")


@dataclass(frozen=True, slots=True)
class Clean:
    """It found nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """``name`` is what the scanner calls it, printable."""

    name: str


@dataclass(frozen=True, slots=True)
class Unscanned:
    """It could not be asked, or did not know; ``reason`` is for the log."""

    reason: str


Verdict: TypeAlias = Clean | Found | Unscanned


class Scanner(Protocol):
    """Looks at one file."""

    async def scan(self, content: bytes) -> Verdict:
        """Never raises for the scanner's fault, and takes a minute at most."""
        ...


def parse_scanner(text: str) -> Scanner:
    """The scanner of ``[portal]`` ``scanner``. Raises ValueError with a sentence for anything else."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_FORMS) from None
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(_FORMS)
    match (parts.scheme, bool(parts.hostname), parts.path):
        case ("clamd", False, path) if path.startswith("/"):
            return Clamd(Unix(path))
        case ("clamd", True, "" | "/"):
            return Clamd(Tcp(parts.hostname or "", port or _CLAMD_PORT))
        case ("icap", True, path) if len(path) > 1 and path.isascii() and path.isprintable() and " " not in path:
            return Icap(Tcp(parts.hostname or "", port or _ICAP_PORT), path)
        case _:
            raise ValueError(_FORMS)


@dataclass(frozen=True, slots=True)
class Clamd:
    """clamd's INSTREAM (clamd(8)): blocks with their lengths, an empty one at the end, one line back."""

    place: Unix | Tcp

    async def scan(self, content: bytes) -> Verdict:
        """See `Scanner`."""
        try:
            return _clamd_verdict(await ask(self.place, _clamd_blocks(content), b"\0"))
        except NoAnswer as error:
            return Unscanned(str(error))


@dataclass(frozen=True, slots=True)
class Icap:
    """RESPMOD of a file as if a web server had sent it (RFC 3507 section 4.9); 204 says that it may pass unchanged."""

    place: Tcp
    service: str

    async def scan(self, content: bytes) -> Verdict:
        """See `Scanner`."""
        try:
            return _icap_verdict(await ask(self.place, self._request(content), b"\r\n\r\n"))
        except NoAnswer as error:
            return Unscanned(str(error))

    def _request(self, content: bytes) -> list[bytes]:
        asked = b"GET http://portal.invalid/file HTTP/1.1\r\nHost: portal.invalid\r\n\r\n"
        answered = f"HTTP/1.1 200 OK\r\nContent-Type: {_TYPE}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        body = asked + answered
        head = (
            f"RESPMOD icap://{self.place}{self.service} ICAP/1.0\r\nHost: {self.place}\r\nAllow: 204\r\n"
            f"Connection: close\r\nEncapsulated: req-hdr=0, res-hdr={len(asked)}, res-body={len(body)}\r\n\r\n"
        )
        chunks = [b"%x\r\n%b\r\n" % (len(block), block) for block in _blocks(content)]
        return [head.encode() + body, *chunks, b"0\r\n\r\n"]


def _blocks(content: bytes) -> list[bytes]:
    return [content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK)]


def _clamd_blocks(content: bytes) -> list[bytes]:
    blocks = [len(block).to_bytes(4, "big") + block for block in _blocks(content)]
    return [b"zINSTREAM\0", *blocks, bytes(4)]


def _clamd_verdict(answer: bytes) -> Verdict:
    text = answer.rstrip(b"\0").removeprefix(b"stream: ")
    if text == b"OK":
        return Clean()
    if text.endswith(b" FOUND"):
        return Found(_name(text.removesuffix(b" FOUND")))
    return Unscanned(f"clamd said: {_name(text)}")


def _icap_verdict(answer: bytes) -> Verdict:
    status = _STATUS.match(answer)
    if status is None:
        return Unscanned("the answer is no ICAP")
    if found := _INFECTION.search(answer):
        threat = _THREAT.search(found[1])
        return Found(_name((threat[1] if threat else found[1]).strip()))
    match status[1]:
        case b"204":
            return Clean()
        case b"200":
            return Found("what the scanner does not let pass")
        case _:
            return Unscanned(f"ICAP status {status[1].decode()}")


def _name(text: bytes) -> str:
    return "".join(char if char.isprintable() else "?" for char in text.decode("utf-8", "replace"))[:_LONGEST_NAME]
