"""A ZIP archive written while it is sent: stored, not compressed, in constant memory (APPNOTE.TXT 6.3, zip64).

Sizes and checksums stand behind each file (data descriptors), because they are known only then. Nothing blocks: all
that happens between two blocks is arithmetic in memory.
"""

import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.core.file_names import unique

_READABLE: Final = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be: ``size`` decides alone whether it needs the form for 4 GiB and more; ``content`` is read once."""

    name: str
    size: int
    content: AsyncIterator[bytes]


class _Sink(io.RawIOBase):
    """Takes what `zipfile` writes, which is never more than a block and its headers, until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._kept += data
        return len(data)

    def take(self) -> bytes:
        """What came since the last time."""
        data = bytes(self._kept)
        self._kept.clear()
        return data


async def zipped(entries: Sequence[Entry], at: datetime) -> AsyncIterator[bytes]:
    """The archive; its files are all dated ``at``, and names that stand twice are numbered."""
    sink = _Sink()
    names = unique([entry.name for entry in entries])
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for entry, name in zip(entries, names, strict=True):
            info = zipfile.ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
            info.external_attr = _READABLE
            with archive.open(info, "w", force_zip64=entry.size >= zipfile.ZIP64_LIMIT) as file:
                async for block in entry.content:
                    file.write(block)
                    yield sink.take()
    yield sink.take()
