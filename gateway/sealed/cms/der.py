"""The little of ASN.1's distinguished encoding that a CMS message needs (ITU-T X.690 sections 8 and 10), both ways.

A structure may be opened before its content is there, if its length is known. Left out on purpose: tags above 30,
indefinite lengths, and what elements mean.
"""

from dataclasses import dataclass
from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTC_TIME: Final = 0x17
SEQUENCE: Final = 0x30
SET: Final = 0x31
NULL: Final = b"\x05\x00"

_LONG: Final = 0x80
_MOST_LENGTH_BYTES: Final = 8


def tagged(number: int) -> int:
    """The tag of a context-specific, constructed element; also of an implicit SEQUENCE or SET."""
    return 0xA0 | number


@dataclass(frozen=True, slots=True)
class Element:
    """``raw`` is the whole element, ``content`` what it holds."""

    tag: int
    raw: bytes
    content: bytes


def element(tag: int, *parts: bytes) -> bytes:
    """One element around the parts."""
    return opening(tag, b"".join(parts), 0)


def opening(tag: int, begin: bytes, rest: int) -> bytes:
    """The start of an element that holds ``begin``, which is returned with it, and then ``rest`` more bytes."""
    size = len(begin) + rest
    if size < _LONG:
        return bytes((tag, size)) + begin
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(octets))) + octets + begin


def integer(value: int) -> bytes:
    """A number that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *others = (int(arc) for arc in dotted.split("."))
    return element(OBJECT_IDENTIFIER, *map(_arc, (first * 40 + second, *others)))


def _arc(value: int) -> bytes:
    """Base 128, the high bit on all bytes but the last (X.690 section 8.19)."""
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))


def set_of(tag: int, *members: bytes) -> bytes:
    """A SET OF under that tag: its members are sorted by their bytes (X.690 section 11.6)."""
    return element(tag, *sorted(members))


def elements(data: bytes) -> tuple[Element, ...]:
    """The elements that follow each other in ``data``. Raises ValueError for anything else."""
    found, begin = list[Element](), 0
    while begin < len(data):
        content, end = _bounds(data, begin)
        found.append(Element(data[begin], data[begin:end], data[content:end]))
        begin = end
    return tuple(found)


def _bounds(data: bytes, begin: int) -> tuple[int, int]:
    """Where the content of the element that begins there begins and ends."""
    if begin + 2 > len(data):
        raise ValueError("an element is cut off")
    size, content = data[begin + 1], begin + 2
    if size & _LONG:
        octets = size & ~_LONG
        if not 0 < octets <= _MOST_LENGTH_BYTES:
            raise ValueError("an element has no length, or one beyond reason")
        size = int.from_bytes(data[content : content + octets], "big")
        content += octets
    if content + size > len(data):
        raise ValueError("an element is cut off")
    return content, content + size
