"""Base64 in lines of 76 characters (RFC 2045 section 6.8), from blocks of any size."""

from binascii import b2a_base64
from typing import Final

_LINE_BYTES: Final = 57
"""As many as make a line."""
_LINE: Final = 76
_END: Final = b"\r\n"


class Base64Lines:
    """Whole lines as the bytes come; what makes no line yet waits."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are full now."""
        data = self._waiting + data
        whole = len(data) - len(data) % _LINE_BYTES
        self._waiting = data[whole:]
        return _lines(data[:whole])

    def finish(self) -> bytes:
        """The last line, which may be shorter; nothing if there is none."""
        return _lines(self._waiting)


def _lines(data: bytes) -> bytes:
    text = b2a_base64(data, newline=False)
    return b"".join(text[start : start + _LINE] + _END for start in range(0, len(text), _LINE))
