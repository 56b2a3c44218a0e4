"""A PDF with AES-256 (PDF 2.0, revision 6): pages that show the text, with the files and the original embedded.

It is made in memory, and the libraries stop everything else while they work, so that is done in a process of its own
(`archives.process`). Characters that the font lacks are shown as such; the embedded original has them all. Left out on
purpose: showing HTML as it looks, and writing from right to left.
"""

import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import pikepdf
from fpdf import FPDF

from gateway.sealed.archives.inside import Item
from gateway.sealed.child import Children

MOST: Final = 50 * 1024 * 1024
LENGTH_BYTES: Final = 4
"""Of each length that stands before what the process is given."""
_AT_ONCE: Final = 2
"""Each takes some hundred megabytes for the largest message."""
_MARGIN: Final = 18
_LINE: Final = 5.5
_FONTS: Final = (
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"),
    Path("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf"),
)
"""Where systems have a font with letters beyond Western Europe; without any those are question marks."""


class PdfMaker:
    """Has PDFs made."""

    def __init__(self) -> None:
        self._children = Children("gateway.sealed.archives.process", at_once=_AT_ONCE)

    async def make(
        self, password: str, shown: str, items: Sequence[Item], take: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Gives the file to ``take`` in blocks; ``shown`` stands on its pages. Raises ChildFailed, SpoolError."""
        await self._children.run(_given(password, shown, items), take)


async def _given(password: str, shown: str, items: Sequence[Item]) -> AsyncIterator[bytes]:
    """Password and text, then of each file its name, its content in blocks, and an empty block."""
    yield _block(password.encode())
    yield _block(shown.encode("utf-8", "replace"))
    for item in items:
        yield _block(item.name.encode("utf-8", "replace"))
        async with aclosing(item.content()) as blocks:
            async for block in blocks:
                if block:
                    yield _block(block)
        yield _block(b"")


def _block(data: bytes) -> bytes:
    return len(data).to_bytes(LENGTH_BYTES) + data


def build_pdf(shown: str, files: Mapping[str, bytes], password: str) -> bytes:
    """The whole file; takes a moment of CPU."""
    with pikepdf.open(io.BytesIO(_pages(shown))) as pdf:
        for name, content in files.items():
            pdf.attachments[name] = content
        # Who has the password may do anything with it; nobody has the other one.
        owner = secrets.token_urlsafe(24)
        encryption = pikepdf.Encryption(owner=owner, user=password, R=6, aes=True, metadata=True)
        out = io.BytesIO()
        pdf.save(out, encryption=encryption)
    return out.getvalue()


def _pages(shown: str) -> bytes:
    page = FPDF(format="A4")
    page.set_margin(_MARGIN)
    page.set_auto_page_break(auto=True, margin=_MARGIN)
    page.add_page()
    font = next((path for path in _FONTS if path.is_file()), None)
    text = _printable(shown)
    if font is not None:
        page.add_font("text", fname=font)
        page.set_font("text", size=11)
    else:
        page.set_font("Helvetica", size=11)
        text = text.encode("latin-1", "replace").decode("latin-1")
    page.multi_cell(0, _LINE, text)
    return bytes(page.output())


def _printable(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in lines)
