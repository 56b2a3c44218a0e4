"""Postfix's socketmap (socketmap_table(5)): netstrings that ask for a key of a named map, and what is answered.

Bytes in any split become requests; what a client announces is compared with the limit before anything of it is waited
for. Left out on purpose: sockets, and what an answer says, which `core.postfix_tls` knows.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.wire.errors import LocalProtocolError, RemoteProtocolError

MAX_REQUEST: Final = 1024
"""Bytes of a request: a name of a map, and a next hop, which is a name of 255 with brackets and a port."""

MAX_REPLY: Final = 100_000
"""Bytes of a reply that Postfix takes; behind a longer one it closes."""

# Nothing is empty, and no length begins with a zero, or two writings would mean one thing.
_LENGTH = re.compile(rb"([1-9][0-9]{0,3}):")
_BEGINNING = re.compile(rb"[1-9][0-9]{0,3}")
_PRINTABLE = re.compile("[ -~]*")


class Request(NamedTuple):
    """One lookup."""

    map: str
    key: str


class Result(StrEnum):
    """What a reply begins with. Behind all but the first two Postfix tries again later."""

    OK = "OK"
    NOTFOUND = "NOTFOUND"
    TEMP = "TEMP"
    TIMEOUT = "TIMEOUT"
    PERM = "PERM"


@dataclass(frozen=True, slots=True)
class Reply:
    """``text`` is the value for OK, which is never empty, nothing for NOTFOUND, and else the reason for Postfix's log.

    Raises:
        LocalProtocolError: it is not so, is too long, or is not printable ASCII.
    """

    result: Result
    text: str = ""

    def __post_init__(self) -> None:
        forbidden = {Result.OK: not self.text, Result.NOTFOUND: bool(self.text)}
        if forbidden.get(self.result, False):
            raise LocalProtocolError("a value belongs to OK, and none to NOTFOUND")
        if _PRINTABLE.fullmatch(self.text) is None:
            raise LocalProtocolError("a reply of a socketmap is printable ASCII")
        if len(self._content) > MAX_REPLY:
            raise LocalProtocolError("a reply of a socketmap is longer than Postfix reads")

    @property
    def _content(self) -> bytes:
        return f"{self.result} {self.text}".encode("ascii")

    def to_bytes(self) -> bytes:
        """As it is sent."""
        content = self._content
        return b"%d:%s," % (len(content), content)


class RequestReader:
    """Collects bytes and gives out whole requests in their order; at most the longest of them waits for its end."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes received and not yet given out."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Takes what arrived; to be called only when there is no whole request left."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next whole request, None while its end has not come.

        Raises:
            RemoteProtocolError: no netstring, too long, or no lookup. The reader is of no use afterwards.
        """
        length = _LENGTH.match(self._buffer)
        if length is None:
            self._check_beginning()
            return None
        start, size = length.end(), int(length[1])
        if size > MAX_REQUEST:
            raise RemoteProtocolError("the socketmap client announced a request that is too long")
        if len(self._buffer) <= start + size:
            return None
        content, end = bytes(self._buffer[start : start + size]), self._buffer[start + size]
        del length  # A buffer that something looks into cannot shrink.
        del self._buffer[: start + size + 1]
        if end != ord(","):
            raise RemoteProtocolError("the socketmap client sent a netstring without its end")
        return _request(content)

    def _check_beginning(self) -> None:
        """What has no length yet is at most its digits."""
        if self._buffer and _BEGINNING.fullmatch(self._buffer) is None:
            raise RemoteProtocolError("the socketmap client sent something that is not a netstring")


def _request(content: bytes) -> Request:
    try:
        name, space, key = content.decode("utf-8").partition(" ")
    except UnicodeDecodeError:
        raise RemoteProtocolError("the socketmap client sent a request that is not UTF-8") from None
    if not (name and space and key):
        raise RemoteProtocolError("the socketmap client sent a request that is no lookup")
    return Request(name, key)
