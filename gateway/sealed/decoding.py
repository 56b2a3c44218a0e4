"""A part's transfer encoding undone from any byte on: the decoded bytes, and the places where decoding can begin.

It agrees with `core.transfer`, which the scan counts by, but for line ends: a file in quoted-printable keeps its own.
However the bytes are cut into blocks, the result is the same, for a size is promised before the first byte is read.
"""

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core import transfer
from gateway.core.sealed import PartPlace

EVERY: Final = 1024 * 1024
"""Decoded bytes between two places where decoding can begin."""
_LONE_CR: Final = re.compile(rb"\r(?!\n|\Z)")


class Decoder(Protocol):
    """Bytes in, decoded bytes out. ``held`` is the end of the input that waits for what follows."""

    @property
    def held(self) -> bytes: ...

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Raw(transfer.RawDecoder):
    """7bit, 8bit, binary, and what we do not know."""

    held = b""


class Base64(transfer.Base64Decoder):
    """See there."""

    @property
    def held(self) -> bytes:
        """Less than one group of four characters."""
        return self._held


class QuotedPrintable:
    """RFC 2045 section 6.7, with the line ends as they stand; a CR alone is dropped."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """Takes the next bytes."""
        data = _LONE_CR.sub(b"", self.held + data)
        at = _begun(data)
        self.held = data[at:]
        return binascii.a2b_qp(data[:at])

    def finish(self) -> bytes:
        """Ends the part."""
        return binascii.a2b_qp(self.held.rstrip(b"\r"))


def _begun(data: bytes) -> int:
    """Where something begins at the end of ``data`` that the next bytes may change; else its length."""
    # A CR there may be dropped still, and then what stood before it goes on.
    stop = len(data) - data.endswith(b"\r")
    escape = data.rfind(b"=", max(0, stop - 2), stop)
    # Of equals signs in a row each pair is one sign, as `binascii` reads them, so only an odd last one is open.
    signs = escape + 1 - len(data[: escape + 1].rstrip(b"="))
    return escape if signs % 2 else stop


def decoder_for(encoding: str) -> Decoder:
    """For a Content-Transfer-Encoding, casefolded."""
    match encoding:
        case "base64":
            return Base64()
        case "quoted-printable":
            return QuotedPrintable()
        case _:
            return Raw()


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to begin: so many ``decoded`` bytes come from what lies before the byte ``encoded`` of the message."""

    decoded: int
    encoded: int


class Measure:
    """Fed a part's bytes as they stand: its decoded size, and its marks."""

    def __init__(self, encoding: str) -> None:
        self._decoder = decoder_for(encoding)
        self._last = 0
        self.size = 0
        self.marks: list[Mark] = []

    def feed(self, data: bytes, offset: int) -> None:
        """The next bytes, which stand at ``offset`` of the message."""
        self.size += len(self._decoder.feed(data))
        held = self._decoder.held
        # What is held stands together at the end in nearly every block; where it does not, the next block will do.
        if self.size - self._last >= EVERY and data.endswith(held):
            self._last = self.size
            self.marks.append(Mark(self.size, offset + len(data) - len(held)))

    def close(self) -> None:
        """Ends the part."""
        self.size += len(self._decoder.finish())


def decoded(
    place: PartPlace, marks: Sequence[Mark], read: Callable[[int, int], Iterator[bytes]], start: int, end: int
) -> Iterator[bytes]:
    """The decoded bytes of a part from ``start`` up to ``end``; ``read`` gives those of the message between two."""
    before = bisect_right(marks, start, key=lambda mark: mark.decoded) - 1
    mark = marks[before] if before >= 0 else Mark(0, place.start)
    decoder, at = decoder_for(place.encoding), mark.decoded
    for piece in _pieces(decoder, read(mark.encoded, place.end)):
        wanted = piece[max(0, start - at) : max(0, end - at)]
        at += len(piece)
        if wanted:
            yield wanted
        if at >= end:
            return


def _pieces(decoder: Decoder, blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield decoder.feed(block)
    yield decoder.finish()
