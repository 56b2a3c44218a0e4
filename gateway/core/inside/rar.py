"""RAR 4 and 5: whether its headers or its first file are encrypted (RAR 5.0 technote, unrar's headers.hpp for 4).

Names are not read, and a later file that alone is encrypted is not seen.
"""

import struct
from typing import Final

from gateway.core.facts import Lock
from gateway.core.inside.base import NOTHING, Contents, Ends

MAGIC: Final = b"Rar!\x1a\x07"
_FIVE: Final = b"Rar!\x1a\x07\x01\x00"
_LOCKED: Final = Contents(lock=Lock.ARCHIVE)

_MAIN4, _FILE4 = 0x73, 0x74
_HEADERS_ENCRYPTED4: Final = 0x0080
_FILE_ENCRYPTED4: Final = 0x0004
_MORE_DATA4: Final = 0x8000

_FILE5, _ENCRYPTION5 = 2, 4
_HAS_EXTRA5, _HAS_DATA5 = 0x1, 0x2


def read_rar(ends: Ends) -> Contents:
    """Only the lock, as far as the first headers tell."""
    head = ends.head
    locked = _locked5(head, len(_FIVE)) if head.startswith(_FIVE) else _locked4(head, len(MAGIC) + 1)
    return _LOCKED if locked else NOTHING


def _locked4(head: bytes, at: int) -> bool:
    """Walks blocks of checksum, type, flags and size, up to the first file."""
    while at + 11 <= len(head):
        kind, flags, size, more = struct.unpack_from("<2xBHHI", head, at)
        if kind == _FILE4:
            return bool(flags & _FILE_ENCRYPTED4)
        if kind == _MAIN4 and flags & _HEADERS_ENCRYPTED4:
            return True
        at += max(size, 7) + (more if flags & _MORE_DATA4 else 0)
    return False


def _locked5(head: bytes, at: int) -> bool:
    """Walks blocks of checksum, size, type and flags, up to the first file."""
    while at + 4 < len(head):
        size, begin = _number(head, at + 4)
        kind, behind = _number(head, begin)
        flags, behind = _number(head, behind)
        extra, behind = _number(head, behind) if flags & _HAS_EXTRA5 else (0, behind)
        data, _ = _number(head, behind) if flags & _HAS_DATA5 else (0, behind)
        end = begin + size
        if kind == _ENCRYPTION5:
            return True
        if kind == _FILE5:
            return _encrypted5(head[max(end - extra, begin) : end])
        at = end + data
    return False


def _encrypted5(extra: bytes) -> bool:
    """Whether one of a file's extra records, each with size and type, is of type 1: file encryption."""
    at = 0
    while at < len(extra):
        size, begin = _number(extra, at)
        if _number(extra, begin)[0] == 1:
            return True
        at = begin + size
    return False


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number and where the next begins: seven bits a byte, lowest first, the eighth says that more follow."""
    value = 0
    for place in range(10):
        byte = data[at + place] if at + place < len(data) else 0
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    return value, at + 10
