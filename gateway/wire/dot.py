"""Transparency and end of data of DATA (RFC 5321 section 4.5.2), in blocks of any size, both ways.

Only CRLF ends a line and only CRLF "." CRLF ends the data: a bare CR or LF never does (SMTP smuggling). No line is
ever looked at by itself. BDAT needs none of this.
"""

from typing import Final, NamedTuple

_DOT: Final = b"\r\n."
_END: Final = b"\r\n.\r\n"


def _has_bare_line_end(data: bytes) -> bool:
    """Whether a CR stands without its LF or an LF without its CR; ``data`` must not split a CRLF."""
    pairs = data.count(b"\r\n")
    return data.count(b"\n") != pairs or data.count(b"\r") != pairs


class Fed(NamedTuple):
    """What a block gave: message bytes, whether the end of data was seen, and the bytes behind it."""

    out: bytes
    done: bool
    rest: bytes


class DotReader:
    """Reads one message as it comes behind 354: finds its end and removes the stuffed dots.

    ``bare`` is set once a bare CR or LF was seen; the bytes are passed on as they are and the caller refuses the
    message at its end. At most four bytes are held back between blocks.
    """

    __slots__ = ("_held", "_skip", "bare")

    def __init__(self) -> None:
        # The data begins at the start of a line, as if a CRLF that is no part of the message had come before.
        self._held = b"\r\n"
        self._skip = 2
        self.bare = False

    def feed(self, block: bytes) -> Fed:
        """Takes the next bytes; after ``done`` the reader is used up. ``out`` over all blocks is the message."""
        data = self._held + block
        # Most blocks hold no line that begins with a dot: then there is no end in them, and nothing to remove.
        dot = data.find(_DOT)
        end = data.find(_END, dot) if dot >= 0 else dot
        if end >= 0:
            return Fed(self._unstuff(data[: end + 2]), True, data[end + len(_END) :])
        keep = len(data) - _prefix_at_end(data)
        self._held = data[keep:]
        return Fed(self._unstuff(data[:keep], dotted=dot >= 0), False, b"")

    def _unstuff(self, text: bytes, *, dotted: bool = True) -> bytes:
        if not text:
            return text
        self.bare = self.bare or _has_bare_line_end(text)
        skip, self._skip = self._skip, 0
        return (text.replace(_DOT, b"\r\n") if dotted else text)[skip:]


def _prefix_at_end(data: bytes) -> int:
    """How many last bytes of ``data`` could be the start of the end of data."""
    return next((size for size in (4, 3, 2, 1) if data.endswith(_END[:size])), 0)


class DotWriter:
    """Writes one message behind 354: stuffs the dots, then ends the data.

    The only bytes added are the stuffed dots and the end; a message that does not end with CRLF gets one, because
    DATA cannot carry it otherwise. It does not look for a bare CR or LF: the listener refuses them, so that none is
    ever in the spool, and looking again would cost a third of what a large message costs on its way out.
    """

    __slots__ = ("_held", "_skip")

    def __init__(self) -> None:
        self._held = b"\r\n"
        self._skip = 2

    def feed(self, block: bytes) -> bytes:
        """The bytes to send for the next block."""
        data = self._held + block
        keep = len(data) - (2 if data.endswith(b"\r\n") else data.endswith(b"\r"))
        self._held = data[keep:]
        return self._stuff(data[:keep])

    def finish(self) -> bytes:
        """The last bytes to send."""
        last, self._held = self._held, b""
        return self._stuff(last if last == b"\r\n" else last + b"\r\n") + b".\r\n"

    def _stuff(self, text: bytes) -> bytes:
        if not text:
            return text
        skip, self._skip = self._skip, 0
        return text.replace(_DOT, b"\r\n..")[skip:]


def stuffed(message: bytes) -> bytes:
    """A whole message as DATA carries it, end included."""
    writer = DotWriter()
    return writer.feed(message) + writer.finish()
