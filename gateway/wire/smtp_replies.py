"""Replies as a client reads them (RFC 5321 section 4.2, RFC 2034), from bytes in any split.

What a server sends is foreign text: it is limited, cleaned of control characters, and decides nothing but by its
code. Left out on purpose: RFC 2034's rule that every line carries the status; the first line's is taken.
"""

import re
from functools import lru_cache
from typing import Final

from gateway.core.reply import Reply, Status
from gateway.wire.errors import RemoteProtocolError

MAX_LINE: Final = 2048
"""Bytes of one reply line. RFC 5321 section 4.5.3.1.5 says 512; real servers send more, and Postfix takes 2048."""

MAX_TEXT: Final = 512
"""Characters of a line that are kept: replies are stored with every outcome."""

MAX_LINES: Final = 50
"""Lines of one reply. Known EHLO replies have at most 25."""

# Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF. 1yz is not defined for SMTP.
# A bare LF ends a line here: old servers send it, and nothing can be smuggled towards a client that asks one by one.
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\n]*?))?\r?\n")
_NOT_PLAIN = re.compile("[^\t -~]")
# Control characters, and those that turn the direction of a line or break it in two.
_UNWANTED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class ReplyReader:
    """Collects bytes and gives out whole replies in their order."""

    __slots__ = ("_buffer", "_code", "_lines")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code: int | None = None
        self._lines: list[str] = []

    @property
    def waiting(self) -> int:
        """Bytes received and not yet given out; after STARTTLS's 220 they must be none (RFC 3207 section 6)."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Takes what arrived."""
        self._buffer += data

    def next(self) -> Reply | None:
        """The next whole reply, None while its end has not come.

        Raises:
            RemoteProtocolError: not a reply, or past a limit. The reader is of no use afterwards.
        """
        while (end := self._buffer.find(b"\n", 0, MAX_LINE)) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            if (code := self._take(line)) is not None:
                return self._finish(code)
        if len(self._buffer) >= MAX_LINE:
            raise RemoteProtocolError("the server sent a reply line that is too long")
        return None

    def _take(self, line: bytes) -> int | None:
        """Adds one line; the code if it is the last of its reply."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError("the server sent something that is not an SMTP reply")
        code = int(match[1])
        if self._code not in (None, code):
            raise RemoteProtocolError("the server sent a reply whose lines have different codes")
        if len(self._lines) == MAX_LINES:
            raise RemoteProtocolError("the server sent a reply of too many lines")
        self._code = code
        self._lines.append(_cleaned(match[3] or b""))
        return None if match[2] == b"-" else code

    def _finish(self, code: int) -> Reply:
        lines = tuple(self._lines)
        self._code, self._lines = None, []
        return _assembled(code, lines)


# Servers say the same few things over and over; a reply cannot be changed, so all of its users may have the same one.
@lru_cache(maxsize=128)
def _assembled(code: int, lines: tuple[str, ...]) -> Reply:
    status = Status.parse(lines[0])
    if status is None or status.klass != code // 100:
        return Reply(code, None, lines)
    prefix = str(status)
    return Reply(code, status, tuple(line.removeprefix(prefix).lstrip() for line in lines))


def _cleaned(text: bytes) -> str:
    """The text without control characters; UTF-8 where it is, marked where it is not."""
    decoded = text.decode("utf-8", "replace")[:MAX_TEXT]
    return _UNWANTED.sub("?", decoded) if _NOT_PLAIN.search(decoded) else decoded
