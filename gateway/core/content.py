"""What a message says, as a digest: the same when it comes again after a 451, another one for any other message.

Left out on purpose: trace and signatures, which hosts on the way may write anew each time they try (RFC 5321 section
4.4, RFC 6376, RFC 8601, RFC 8617).
"""

import hashlib
from typing import Final

_TRACE: Final = frozenset(
    {
        b"received",
        b"return-path",
        b"received-spf",
        b"authentication-results",
        b"dkim-signature",
        b"arc-seal",
        b"arc-message-signature",
        b"arc-authentication-results",
    }
)
_LINE_END: Final = b"\r\n"
_EMPTY_LINE: Final = b"\r\n\r\n"


class Content:
    """Fed the message as received, in blocks of any size. It keeps the header block, whose limit is `core.scan`'s."""

    def __init__(self) -> None:
        self._body = hashlib.sha256()
        self._in_header = True
        # The line end before the first line is imagined, as `core.scan` does: there may be no field at all.
        self._header = bytearray(_LINE_END)

    def feed(self, block: bytes) -> None:
        """Takes the next bytes."""
        if self._in_header:
            looked = len(self._header) - len(_EMPTY_LINE) + 1
            self._header += block
            end = self._header.find(_EMPTY_LINE, max(0, looked))
            if end < 0:
                return
            block = bytes(self._header[end + len(_EMPTY_LINE) :])
            del self._header[end:]
            self._in_header = False
        self._body.update(block)

    def digest(self, sender: str) -> bytes:
        """Of the sender, the header block but for its trace, and all that stands behind it."""
        said = hashlib.sha256(_without_trace(self._header)).digest()
        author = sender.encode("utf-8", "backslashreplace")
        return hashlib.sha256(said + self._body.digest() + author).digest()


def _without_trace(header: bytes | bytearray) -> bytes:
    kept, is_trace = list[bytes](), False
    for line in bytes(header).split(_LINE_END):
        if not line.startswith((b" ", b"\t")):
            is_trace = line.partition(b":")[0].strip().lower() in _TRACE
        if not is_trace:
            kept.append(line)
    return _LINE_END.join(kept)
