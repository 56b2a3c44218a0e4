"""A ZIP with AES-256 (WinZip's AE-2) around a plain ZIP: one password, and no file's name that others could read.

The names in a ZIP's directory are never encrypted, so the outer one holds a single file with a neutral name. It is
compressed a little, because the original is in there beside its files, in base64. Memory does not grow with the
message. Left out on purpose: a stronger way from password to key, which few programs could open.
"""

import asyncio
import zipfile
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import IO, Final, Protocol, cast

import pyzipper  # pyright: ignore[reportMissingTypeStubs]

from gateway.sealed.archives.inside import Item

INNER: Final = "message.zip"
_FAST: Final = 1


class _Sealed(Protocol):
    """What is used of `pyzipper.AESZipFile`, which has no types."""

    def setpassword(self, pwd: bytes) -> None: ...

    def open(self, name: str, mode: str, *, force_zip64: bool) -> IO[bytes]: ...

    def close(self) -> None: ...


async def write_zip(path: Path, password: str, items: Sequence[Item]) -> None:
    """Makes the file. Raises OSError, SpoolError."""
    outer = await asyncio.to_thread(_open, path)
    try:
        outer.setpassword(password.encode())
        with outer.open(INNER, "w", force_zip64=True) as sealed:
            await _write_inner(sealed, items)
    finally:
        await asyncio.to_thread(outer.close)


def _open(path: Path) -> _Sealed:
    made = pyzipper.AESZipFile(
        path, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_FAST, encryption=pyzipper.WZ_AES
    )
    return cast("_Sealed", made)


async def _write_inner(sealed: IO[bytes], items: Sequence[Item]) -> None:
    with zipfile.ZipFile(sealed, "w", zipfile.ZIP_STORED) as inner:
        for item in items:
            with inner.open(zipfile.ZipInfo(item.name), "w", force_zip64=True) as entry:
                async with aclosing(item.content()) as blocks:
                    async for block in blocks:
                        await asyncio.to_thread(entry.write, block)
