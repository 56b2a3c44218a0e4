"""The SHA-256 of a body in DKIM's relaxed form, as the body comes (RFC 6376 section 3.4.4).

Runs of white space are one space, none stands before a line end, and empty lines at the end do not count. A body whose
last line has no line end is hashed as the client of SMTP sends it, with one (RFC 5321 section 4.1.1.4). What waits for
the bytes behind it is a number of empty lines and at most two bytes, however large the runs are.
"""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Final

_LINE_END: Final = b"\r\n"
_SPACES: Final = re.compile(rb"   +")
# Empty lines that turn out not to be the last ones are hashed in blocks of so many.
_MOST_LINES: Final = 4096


class BodyHash:
    """Feed it the bytes behind the empty line that ends the header, then take the digest, once."""

    def __init__(self) -> None:
        self._sha = sha256()
        self._is_empty = True
        # Line ends that only count if anything stands behind them, and a space or CR that the next bytes decide about.
        self._line_ends = 0
        self._held = b""

    def feed(self, block: bytes) -> None:
        """Takes the next bytes, in blocks of any size."""
        data = _reduced(self._held + block)
        text = data.removesuffix(b"\r").removesuffix(b" ")
        self._held = data[len(text) :]
        end = _end_of_text(text)
        if end:
            self._count_line_ends()
            self._sha.update(memoryview(text)[:end])
            self._is_empty = False
        self._line_ends += (len(text) - end) // len(_LINE_END)

    def digest(self) -> str:
        """The hash in base64, as the tag ``bh`` has it."""
        self.feed(_LINE_END)
        if not self._is_empty:
            self._sha.update(_LINE_END)
        return b64encode(self._sha.digest()).decode()

    def _count_line_ends(self) -> None:
        while self._line_ends:
            some = min(self._line_ends, _MOST_LINES)
            self._sha.update(_LINE_END * some)
            self._line_ends -= some


def _reduced(data: bytes) -> bytes:
    """With one space for each run of white space, and none before a line end."""
    data = data.replace(b"\t", b" ")
    if b"  " in data:
        # Long runs are what indented text has; short ones cost less this way, of which a hostile body has many.
        data = _SPACES.sub(b" ", data).replace(b"  ", b" ")
    return data.replace(b" \r\n", _LINE_END)


def _end_of_text(data: bytes) -> int:
    """Where the line ends begin that ``data`` ends with. A bare CR or LF, which the listener refuses, is text."""
    if data.endswith(b"\r"):
        return len(data)
    end = len(data.rstrip(_LINE_END))
    # Behind the last two of a kind CR and LF take turns.
    end = max(end, data.rfind(b"\r\r", end) + 1, data.rfind(b"\n\n", end) + 1)
    return end + data.startswith(b"\n", end)
