"""7z: whether it needs a password (7zFormat.txt). Its list of coders is searched for AES; names are not read.

The list stands in a header at the end, which is itself compressed as a rule: LZMA is undone within a limit, another
method is not, and such an archive counts as open.
"""

import lzma
import struct
from typing import Final

from gateway.core.facts import Lock
from gateway.core.inside.base import NOTHING, Contents, Ends

MAGIC: Final = b"7z\xbc\xaf\x27\x1c"
_BEGIN: Final = 32
_LOCKED: Final = Contents(lock=Lock.ARCHIVE)
# A coder with properties (0x20), the length of its method's id, and the id: 7zAES, and LZMA with its five properties.
_AES: Final = b"\x24\x06\xf1\x07\x01"
_LZMA: Final = b"\x23\x03\x01\x01\x05"
_ENCODED: Final = 0x17
_MOST: Final = 1024 * 1024


def read_7z(ends: Ends) -> Contents:
    """Only the lock."""
    if len(ends.head) < _BEGIN:
        return NOTHING
    offset, size = struct.unpack_from("<2Q", ends.head, 12)
    begin = _BEGIN + offset - ends.tail_at
    if begin < 0:
        return NOTHING
    header = ends.tail[begin : begin + size]
    if _AES in header or _AES in _unpacked(ends.tail[:begin], header):
        return _LOCKED
    return NOTHING


def _unpacked(before: bytes, header: bytes) -> bytes:
    """The real header, whose packed bytes end where ``header``, which describes it, begins."""
    coder = header.find(_LZMA)
    packed = _packed_size(header)
    properties = header[coder + len(_LZMA) :][:5]
    if coder < 0 or not 0 < packed <= len(before) or len(properties) < 5:
        return b""
    rest, context = divmod(properties[0], 9)
    filters = [
        {
            "id": lzma.FILTER_LZMA1,
            # More than what is unpacked is of no use, and the size that a stranger names would be reserved.
            "dict_size": min(max(int.from_bytes(properties[1:], "little"), 4096), _MOST),
            "lc": context,
            "lp": rest % 5,
            "pb": rest // 5,
        }
    ]
    try:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=filters)
        return decoder.decompress(before[-packed:], max_length=_MOST)
    except lzma.LZMAError:
        return b""


def _packed_size(header: bytes) -> int:
    """From ``0x17 0x06 position count 0x09 size``; 0 if it reads otherwise."""
    if header[:2] != bytes((_ENCODED, 0x06)):
        return 0
    _, at = _number(header, 2)
    count, at = _number(header, at)
    size, _ = _number(header, at + 1)
    return size if count == 1 and header[at : at + 1] == b"\x09" else 0


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number and where the next begins: each leading one bit of its first byte is one more byte behind it."""
    first = data[at] if at < len(data) else 0
    more = next((bit for bit in range(8) if not first & (0x80 >> bit)), 8)
    low = int.from_bytes(data[at + 1 : at + 1 + more], "little")
    return ((first & (0x7F >> more)) << (8 * more)) + low, at + 1 + more
