"""A part's transfer encoding undone from any byte on: the decoded bytes, and the places where decoding can begin.

It agrees with `core.transfer`, which the scan counts by, but for line ends: a file in quoted-printable keeps its own.
"""

import binascii
import re
import string
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core.sealed import PartPlace

EVERY: Final = 1024 * 1024
"""Decoded bytes between two places where decoding can begin."""
_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_ALPHABET: Final = (string.ascii_letters + string.digits + "+/").encode()
_NOT_ALPHABET: Final = bytes(byte for byte in range(256) if byte not in _ALPHABET)


class Decoder(Protocol):
    """Bytes in, decoded bytes out. It is ``clean`` where it holds nothing back, so that another could go on."""

    @property
    def clean(self) -> bool: ...

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Raw:
    """7bit, 8bit, binary, and what we do not know."""

    clean = True

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class Base64:
    """Groups of four characters of the alphabet; all else is skipped (RFC 2045 section 6.8)."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def clean(self) -> bool:
        return not self._held

    def feed(self, data: bytes) -> bytes:
        data = self._held + data.translate(None, _NOT_ALPHABET)
        whole = len(data) // 4 * 4
        self._held = data[whole:]
        return binascii.a2b_base64(data[:whole])

    def finish(self) -> bytes:
        return binascii.a2b_base64(self._held.ljust(4, b"=")) if len(self._held) > 1 else b""


class QuotedPrintable:
    """RFC 2045 section 6.7, with the line ends as they stand; a CR alone is dropped."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def clean(self) -> bool:
        return not self._held

    def feed(self, data: bytes) -> bytes:
        data = self._held + data
        line_end = len(data) - 1 if data.endswith(b"\r") else -1
        escape = data.rfind(b"=", max(0, len(data) - 3))
        at = escape if escape >= 0 and len(data) - escape < 3 else line_end
        whole, self._held = (data, b"") if at < 0 else (data[:at], data[at:])
        return _unquoted(whole)

    def finish(self) -> bytes:
        return _unquoted(self._held)


def _unquoted(data: bytes) -> bytes:
    return binascii.a2b_qp(_LONE_CR.sub(b"", data))


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
        self.size = 0
        self.marks: list[Mark] = []

    def feed(self, data: bytes, offset: int) -> None:
        """The next bytes, which stand at ``offset`` of the message."""
        cut = data.rfind(b"\n") + 1 if self.size - self._last_mark >= EVERY else 0
        self.size += len(self._decoder.feed(data[:cut]))
        if cut and self._decoder.clean:
            self.marks.append(Mark(self.size, offset + cut))
        self.size += len(self._decoder.feed(data[cut:]))

    def close(self) -> None:
        """Ends the part."""
        self.size += len(self._decoder.finish())

    @property
    def _last_mark(self) -> int:
        return self.marks[-1].decoded if self.marks else 0


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
