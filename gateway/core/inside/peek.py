"""Knows by a file's first bytes whether it is worth a look, so that other files are not even decoded."""

from typing import Final

from gateway.core.inside import office, pdf, rar, sevenzip
from gateway.core.inside.base import NOTHING, Contents, EndsLook, Look
from gateway.core.inside.zip import read_zip
from gateway.core.transfer import Decoder, decoder

# PDF readers accept other bytes before the magic ones, within the first KiB (ISO 32000-1 annex H.3.4.1).
_PDF_WITHIN: Final = 1024
_LONGEST_MAGIC: Final = 8
# Decoded at a time until the format is known: just enough for the first KiB in base64.
_PIECE: Final = 1536


class Peek:
    """One attached file as it arrives, still in its transfer encoding."""

    def __init__(self, encoding: str) -> None:
        self._decoder: Decoder = decoder(encoding)
        self._head = b""
        self._decided = False
        self._look: Look | None = None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the part's body."""
        at = 0
        while not self._decided and at < len(data):
            self._head += self._decoder.feed(data[at : at + _PIECE])
            at += _PIECE
            self._decide(final=False)
        if self._look is not None and at < len(data):
            self._look.feed(self._decoder.feed(data[at:]))

    def close(self) -> Contents:
        """What was found, called once."""
        if not self._decided:
            self._head += self._decoder.finish()
            self._decide(final=True)
            return NOTHING if self._look is None else self._look.close()
        if self._look is None:
            return NOTHING
        self._look.feed(self._decoder.finish())
        return self._look.close()

    def _decide(self, *, final: bool) -> None:
        if self._decided or (len(self._head) < _LONGEST_MAGIC and not final):
            return
        self._look = _look(self._head)
        self._decided = final or self._look is not None or len(self._head) >= _PDF_WITHIN
        if self._look is not None:
            self._look.feed(self._head)
        if self._decided:
            self._head = b""


def _look(head: bytes) -> Look | None:
    """The look that the format is worth."""
    # The beginning of an ordinary archive, of an empty one, and of one that was meant to be split.
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK")):
        return EndsLook(read_zip)
    if head.startswith(sevenzip.MAGIC):
        return EndsLook(sevenzip.read_7z)
    if head.startswith(rar.MAGIC):
        return EndsLook(rar.read_rar)
    if head.startswith(office.MAGIC):
        return office.OfficeLook()
    return pdf.PdfLook() if pdf.MAGIC in head[:_PDF_WITHIN] else None
