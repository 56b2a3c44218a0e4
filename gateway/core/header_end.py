"""Finds where the body begins (RFC 5322 section 2.1), in blocks of any size, as `core.scan` does."""

from typing import Final

_EMPTY_LINE: Final = b"\r\n\r\n"


class HeaderEnd:
    """For one message. The line end before the first line is imagined: there may be no field at all."""

    def __init__(self) -> None:
        self._seen: bytes | None = b"\r\n"

    def behind(self, block: bytes) -> bytes:
        """What of the next bytes belongs to the body."""
        if self._seen is None:
            return block
        data = self._seen + block
        end = data.find(_EMPTY_LINE)
        if end < 0:
            self._seen = data[1 - len(_EMPTY_LINE) :]
            return b""
        self._seen = None
        return data[end + len(_EMPTY_LINE) :]
