"""Office files behind a password, known by the compound file that they become (MS-OFFCRYPTO, MS-DOC, MS-XLS).

Documents of 2007 and later, and encrypted PowerPoint 97, name a stream for it. Word 97 and Excel 97 say it in their own
first bytes, which are looked at only where programs put them, in the first sector: elsewhere the file counts as open.
"""

from typing import Final

from gateway.core.facts import Lock
from gateway.core.inside.base import NOTHING, Contents

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED: Final = Contents(lock=Lock.OFFICE)


def _stream(name: str) -> bytes:
    """A directory entry's name of 64 bytes, its length with the final zero, and the type of a stream (MS-CFB 2.6.1)."""
    text = name.encode("utf-16-le")
    return text.ljust(64, b"\0") + (len(text) + 2).to_bytes(2, "little") + b"\x02"


_NAMES: Final = (_stream("EncryptedPackage"), _stream("EncryptedSummary"))
_REACH: Final = len(_NAMES[0]) - 1
_SECTOR: Final = 512
_HEAD: Final = _SECTOR + 24


class OfficeLook:
    """Searches the whole file for the names; keeps its head, and what a name that is cut may need."""

    def __init__(self) -> None:
        self._head = self._held = b""
        self._found = False

    def feed(self, data: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
        data = self._held + data
        self._found = self._found or any(name in data for name in _NAMES)
        self._held = data[-_REACH:]

    def close(self) -> Contents:
        return _LOCKED if self._found or _old_word(self._head) or _old_excel(self._head) else NOTHING


def _old_word(head: bytes) -> bool:
    """FibBase: wIdent, and fEncrypted in the second byte of its flags."""
    return head.startswith(b"\xec\xa5", _SECTOR) and bool(int.from_bytes(head[_SECTOR + 11 : _SECTOR + 12]) & 0x01)


def _old_excel(head: bytes) -> bool:
    """A FilePass record right behind the first BOF record, which is 20 bytes."""
    return head.startswith(b"\x09\x08\x10\x00", _SECTOR) and head.startswith(b"\x2f\x00", _SECTOR + 20)
