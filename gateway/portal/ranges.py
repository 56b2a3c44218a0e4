"""One range of bytes, as a download that broke off asks for the rest (RFC 9110 section 14); pure.

Several ranges at once are left out on purpose: they get the whole, as the RFC allows (section 14.2).
"""

import re
from dataclasses import dataclass
from typing import Final

# int-range = first-pos "-" [last-pos]; suffix-range = "-" suffix-length; longer numbers are no size.
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``start`` up to, without, ``end``."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """None of these bytes exists: 416."""


def read_range(asked: str | None, size: int, *, still_the_same: bool) -> Span | OutOfRange | None:
    """Which bytes of ``size`` are asked for; None is all, also for what cannot be read.

    ``still_the_same`` says whether If-Range is absent or names what we have (section 13.1.5).
    """
    found = _RANGE.fullmatch(asked.strip()) if asked is not None and still_the_same else None
    if found is None:
        return None
    match (found[1], found[2]):
        case ("", ""):
            return None
        case ("", length):
            start, end = max(0, size - int(length)), size
        case (first, ""):
            start, end = int(first), size
        case (first, last):
            if int(last) < int(first):
                return None
            start, end = int(first), min(size, int(last) + 1)
    return Span(start, end) if start < end else OutOfRange()
