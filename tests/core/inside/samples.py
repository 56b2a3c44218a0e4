"""Small files of the formats that are looked into, made by hand where the library cannot make them."""

import io
import lzma
import struct
import zipfile

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
RAR4 = b"Rar!\x1a\x07\x00"
RAR5 = b"Rar!\x1a\x07\x01\x00"
AES = b"\x24\x06\xf1\x07\x01\x0a" + bytes(10)


def zipped(*names: str, data: bytes = b"some text", comment: bytes = b"") -> bytes:
    """A ZIP of stored members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, data)
        archive.comment = comment
    return file.getvalue()


def with_flag(data: bytes, signature: bytes, at: int, flag: int, *, which: int = 0) -> bytes:
    """Sets a bit of the 16-bit flags ``at`` bytes behind the ``which``-th signature."""
    where = -1
    for _ in range(which + 1):
        where = data.index(signature, where + 1)
    old = struct.unpack_from("<H", data, where + at)[0]
    return data[: where + at] + struct.pack("<H", old | flag) + data[where + at + 2 :]


def sevenzip(header: bytes, packed: bytes = b"") -> bytes:
    """A 7z whose next header stands behind the packed bytes."""
    begin = struct.pack("<6sBBIQQI", b"7z\xbc\xaf\x27\x1c", 0, 4, 0, len(packed), len(header), 0)
    return begin + packed + header


def packed_header(real: bytes, *, properties: bytes = b"\x5d\x00\x00\x10\x00") -> tuple[bytes, bytes]:
    """The encoded header that describes the packed real one, and that one."""
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]
    packed = lzma.compress(real, format=lzma.FORMAT_RAW, filters=filters)
    coder = b"\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05" + properties
    # A size of two bytes: one leading bit, six bits of the high part, then the low byte.
    size = bytes((0x80 | len(packed) >> 8, len(packed) & 0xFF))
    return b"\x17\x06\x00\x01\x09" + size + b"\x00" + coder + b"\x0c\x40\x00\x00", packed


def rar4_block(kind: int, flags: int, body: bytes = b"", more: bytes = b"") -> bytes:
    """A block of RAR 4; ``more`` stands behind it and is counted in its first four bytes."""
    if more:
        flags, body = flags | 0x8000, struct.pack("<I", len(more)) + body
    return struct.pack("<HBHH", 0, kind, flags, 7 + len(body)) + body + more


def rar5_block(kind: int, *, extra: bytes = b"", data: bytes = b"", body: bytes = b"") -> bytes:
    """A block of RAR 5, all of its numbers below 128 but for the data's size."""
    flags = (0x1 if extra else 0) | (0x2 if data else 0)
    fields = bytes((kind, flags))
    fields += bytes((len(extra),)) if extra else b""
    fields += bytes((0x80 | len(data) & 0x7F, len(data) >> 7)) if data else b""
    block = fields + body + extra
    return b"\0\0\0\0" + bytes((len(block),)) + block + data


def ole(*, stream: str = "", sector: bytes = b"", before: int = 2000) -> bytes:
    """A compound file: its first sector behind the header, and a directory entry somewhere."""
    name = stream.encode("utf-16-le")
    entry = name.ljust(64, b"\0") + struct.pack("<H", len(name) + 2) + b"\x02" if stream else b""
    return OLE.ljust(512, b"\0") + sector.ljust(before, b"\0") + entry.ljust(128, b"\0")
