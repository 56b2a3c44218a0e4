"""ZIP: the names in the central directory, and whether an entry is encrypted (APPNOTE 6.3.10 sections 4.3 and 7).

Of the directory as much is read as stands in the file's last bytes. Office and OpenDocument files are ZIPs whose
members nobody attached: they have none here. Left out: archives inside archives, archives behind a program (SFX), names
in the Unicode extra field, and OpenDocument's own encryption, which ZIP knows nothing of.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.core.facts import Lock
from gateway.core.inside.base import Contents, Ends

_MAX_MEMBERS: Final = 1000
_MAX_NAME: Final = 255
_ENTRY: Final = b"PK\x01\x02"
_END: Final = b"PK\x05\x06"
_END64: Final = b"PK\x06\x06"
_END64_BYTES: Final = 56
_LOCATOR64: Final = b"PK\x06\x07"
_LOCATOR64_BYTES: Final = 20
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x1
_AES: Final = 99
# Flags, method, then the lengths of name, extra field and comment, as they stand in an entry of 46 bytes and more.
_ENTRY_FIELDS = struct.Struct("<4x4x2H16x3H")
_ENTRY_BYTES: Final = 46
_LOCAL_FIELDS = struct.Struct("<4x2x2H16xH2x")
# The first member of a format that is only packed as a ZIP (ECMA-376 part 2, OpenDocument 1.2 part 3).
_DOCUMENTS: Final = frozenset({"[Content_Types].xml", "mimetype"})


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    encrypted: bool


def read_zip(ends: Ends) -> Contents:
    """The names, and the lock of any entry."""
    entries = [*_first(ends.head), *_directory(ends.tail)]
    lock = Lock.ARCHIVE if any(entry.encrypted for entry in entries) else Lock.OPEN
    names = tuple(dict.fromkeys(entry.name for entry in entries))[:_MAX_MEMBERS]
    return Contents(() if _DOCUMENTS & set(names) else names, lock)


def _first(head: bytes) -> Iterator[_Entry]:
    """The first file's own header, which an encrypted or a far too long directory does not hide."""
    if head.startswith(b"PK\x03\x04") and len(head) >= _LOCAL_FIELDS.size:
        flags, method, length = _LOCAL_FIELDS.unpack_from(head)
        yield _entry(flags, method, head[_LOCAL_FIELDS.size : _LOCAL_FIELDS.size + length])


def _directory(tail: bytes) -> Iterator[_Entry]:
    at = _start(tail)
    while tail.startswith(_ENTRY, at) and at + _ENTRY_BYTES <= len(tail):
        flags, method, name, extra, comment = _ENTRY_FIELDS.unpack_from(tail, at)
        behind = at + _ENTRY_BYTES
        yield _entry(flags, method, tail[behind : behind + name])
        at = behind + name + extra + comment


def _start(tail: bytes) -> int:
    """Where the directory begins; if that is before the bytes at hand, its first entry that is whole."""
    end = tail.rfind(_END)
    if end < 0 or end + 16 > len(tail):
        return len(tail)
    (size,) = struct.unpack_from("<I", tail, end + 12)
    if tail.startswith(_LOCATOR64, max(end - _LOCATOR64_BYTES, 0)):
        end64 = tail.rfind(_END64, 0, max(end - _END64_BYTES, 0) + len(_END64))
        if end64 >= 0:
            (size,) = struct.unpack_from("<Q", tail, end64 + 40)
            end = end64
    start = end - size
    return start if start >= 0 and tail.startswith(_ENTRY, start) else max(tail.find(_ENTRY), 0)


def _entry(flags: int, method: int, name: bytes) -> _Entry:
    text = name[: 4 * _MAX_NAME].decode("utf-8" if flags & _UTF8 else "cp437", "replace")[:_MAX_NAME]
    shown = text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
    return _Entry(shown, bool(flags & _ENCRYPTED) or method == _AES)
