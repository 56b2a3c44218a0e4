"""Delimiter lines of nested multiparts, found in blocks of the message (RFC 2046 section 5.1.1).

``delimiter := CRLF "--" boundary *LWSP CRLF``, with a second ``--`` behind the boundary to close. RFC 2046 lets readers
be content with the beginning of the line, and many compare all of it: a line on which they would disagree is a defect.
Offsets are absolute, counted from the first byte of the message; every byte is searched once per open multipart.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.defect import Defect

# Transport padding behind a boundary: none is sent by any program known to us, a few characters by odd gateways.
_MAX_PADDING: Final = 128
# The offset of a line that is not there: behind every real one.
_NONE: Final = 1 << 62


@dataclass(slots=True, kw_only=True)
class Level:
    """One open multipart. Its parts inherit ``digest`` and ``attached``; it is ``closed`` behind its last part."""

    delimiter: bytes
    digest: bool
    attached: bool
    closed: bool = False
    hit: int = _NONE
    searched: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiter:
    """A line found. ``start`` is its first CR, ``end`` the CR that ends it (the message's end without one)."""

    start: int
    end: int
    level: int
    closing: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A line that may be a delimiter begins at ``start`` and goes on in the next block."""

    start: int


@dataclass(frozen=True, slots=True)
class Window:
    """The bytes at hand: ``data`` begins at the absolute offset ``base``; ``final`` when nothing follows."""

    data: bytes
    base: int
    final: bool

    @property
    def end(self) -> int:
        """The absolute offset behind the last byte."""
        return self.base + len(self.data)


class Boundaries:
    """The stack of open multiparts, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        self.defects: dict[str, None] = {}
        # Lines that looked like delimiters; the caller limits them, for each costs a turn of a loop.
        self.lookalikes = 0

    @property
    def reach(self) -> int:
        """So many last bytes of a window may be the beginning of a delimiter."""
        return max((len(level.delimiter) for level in self.levels), default=0)

    def push(self, boundary: bytes, *, digest: bool, attached: bool, start: int) -> None:
        """Opens a multipart whose body begins at ``start``."""
        delimiter = b"\n--" + boundary
        for outer in self.levels:
            if outer.delimiter.startswith(delimiter) or delimiter.startswith(outer.delimiter):
                self.defects[Defect.BOUNDARY_PREFIX] = None
        self.levels.append(Level(delimiter=delimiter, digest=digest, attached=attached, searched=start))

    def enter(self, found: Delimiter) -> None:
        """Leaves all multiparts inside the found one, and opens or closes it."""
        del self.levels[found.level + 1 :]
        level = self.levels[found.level]
        if level.closed and not found.closing:
            self.defects[Defect.BEHIND_LAST] = None
        level.closed = found.closing

    def find(self, window: Window, start: int, before: int) -> Delimiter | Unfinished | None:
        """The first delimiter whose CR is at ``start`` or behind, and before ``before``."""
        while self.levels:
            hits = [self._hit(level, window, start) for level in self.levels]
            at = min(hits)
            if at > before:
                return None
            same = [number for number in reversed(range(len(hits))) if hits[number] == at]
            found = self._judge(window, at, same)
            if found is not None:
                return found
            self._dismiss(at, same)
        return None

    def _dismiss(self, at: int, levels: list[int]) -> None:
        """Notes a line that is no delimiter, and never looks at it again."""
        self.defects[Defect.BOUNDARY_LOOKALIKE] = None
        self.lookalikes += 1
        for number in levels:
            self.levels[number].hit = _NONE
            self.levels[number].searched = at + 1

    def _hit(self, level: Level, window: Window, start: int) -> int:
        """The absolute offset of the LF of the next such line; kept until it lies before ``start``."""
        if level.hit == _NONE or level.hit < start:
            begin = max(level.searched, start)
            found = window.data.find(level.delimiter, begin - window.base)
            level.hit = _NONE if found < 0 else window.base + found
            level.searched = max(begin, window.end - len(level.delimiter) + 1) if found < 0 else level.hit
        return level.hit

    def _judge(self, window: Window, at: int, levels: list[int]) -> Delimiter | Unfinished | None:
        """Reads the line whose LF is at ``at``, as a delimiter of the innermost level that it fits exactly."""
        data, index = window.data, at - window.base
        if index == 0 or data[index - 1 : index] != b"\r":
            return None
        for number in levels:
            rest = index + len(self.levels[number].delimiter)
            stop = data.find(b"\r\n", rest, rest + _MAX_PADDING + 2)
            if stop < 0 and len(data) < rest + _MAX_PADDING + 2:
                if not window.final:
                    return Unfinished(at - 1)
                stop = len(data)
            tail = data[rest:stop].strip(b" \t") if stop >= 0 else None
            if tail in (b"", b"--"):
                return Delimiter(start=at - 1, end=window.base + stop, level=number, closing=tail == b"--")
        return None
