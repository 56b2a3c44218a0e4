"""Content in chunks, BDAT (RFC 3030 section 2): the command's argument, and line ends across chunks.

A chunk carries bytes as they are: nothing is unstuffed and no mark ends it. BINARYMIME is left out on purpose, so
content is lines here too, and a bare CR or LF is found as with DATA.
"""

import re
from typing import NamedTuple

_ARGUMENT = re.compile(rb"([0-9]{1,20})(?: +(LAST))? *", re.IGNORECASE)


class Chunk(NamedTuple):
    """One BDAT: how many bytes follow its line, and whether they are the message's last."""

    size: int
    last: bool


def parse_bdat(argument: bytes) -> Chunk | None:
    """Reads ``chunk-size [LAST]``; None is a syntax error, behind which nothing can be told from content."""
    match = _ARGUMENT.fullmatch(argument)
    return Chunk(int(match[1]), match[2] is not None) if match else None


class LineEnds:
    """Watches the bytes of one message in blocks of any size; ``bare`` is set once a bare CR or LF was seen."""

    __slots__ = ("_last", "bare")

    def __init__(self) -> None:
        # The message begins at the start of a line.
        self._last = b"\r\n"
        self.bare = False

    def feed(self, block: bytes) -> None:
        """Takes the next bytes."""
        if not block:
            return
        data = b"\r" + block if self._last.endswith(b"\r") else block
        pairs = data.count(b"\r\n")
        open_end = data.endswith(b"\r")
        self.bare = self.bare or data.count(b"\n") != pairs or data.count(b"\r") != pairs + open_end
        self._last = (self._last + data)[-2:]

    def finish(self) -> bytes:
        """What is missing to end the last line: CRLF or nothing. A CR at the very end is a bare one."""
        self.bare = self.bare or self._last.endswith(b"\r")
        return b"" if self._last == b"\r\n" else b"\r\n"
