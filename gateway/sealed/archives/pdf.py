"""A PDF with AES-256 (PDF 2.0, revision 6): a page that shows the text, with the files and the original embedded.

It is made in memory, so it is for messages of some megabytes. Characters that the built-in fonts lack are shown as
question marks; the embedded original has them all. Left out on purpose: showing HTML as it looks.
"""

import io
from collections.abc import Mapping
from typing import Final

import pikepdf
from fpdf import FPDF

MOST: Final = 50 * 1024 * 1024
_MARGIN: Final = 18
_LINE: Final = 5.5


def build_pdf(headers: str, text: str, files: Mapping[str, bytes], password: str) -> bytes:
    """The whole file; takes a moment of CPU."""
    with pikepdf.open(io.BytesIO(_page(headers, text))) as pdf:
        for name, content in files.items():
            pdf.attachments[name] = content
        encryption = pikepdf.Encryption(owner=password, user=password, R=6, aes=True, metadata=True)
        out = io.BytesIO()
        pdf.save(out, encryption=encryption)
    return out.getvalue()


def _page(headers: str, text: str) -> bytes:
    page = FPDF(format="A4")
    page.set_margin(_MARGIN)
    page.set_auto_page_break(auto=True, margin=_MARGIN)
    page.add_page()
    page.set_font("Helvetica", size=11)
    whole = f"{headers}\n{text}\n\nThe files of this message are embedded in this document (paper clip)."
    page.multi_cell(0, _LINE, _latin(whole))
    return bytes(page.output())


def _latin(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\t", "    ").encode("latin-1", "replace").decode("latin-1")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in lines)
