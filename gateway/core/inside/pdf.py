"""PDF: whether it is encrypted, told by the entry of its trailer (ISO 32000-1 section 7.6.1).

One that opens without a password and only forbids printing has the entry too; they cannot be told apart unopened.
"""

import re
from typing import Final

from gateway.core.facts import Lock
from gateway.core.inside.base import NOTHING, Contents

MAGIC: Final = b"%PDF-"
_NAME: Final = b"/Encrypt"
# A reference to an object, or the dictionary itself; ``/EncryptMetadata`` is another entry.
_ENTRY = re.compile(rb"/Encrypt(?:\s{1,16}\d{1,10}\s{1,16}\d{1,10}\s{1,16}R|\s{0,16}<<)")
_REACH: Final = 80


class PdfLook:
    """Searches the whole file, whose trailers may stand anywhere; keeps what an entry that is cut may need."""

    def __init__(self) -> None:
        self._held = b""
        self._found = False

    def feed(self, data: bytes) -> None:
        data = self._held + data
        self._found = self._found or (_NAME in data and _ENTRY.search(data) is not None)
        self._held = data[-_REACH:]

    def close(self) -> Contents:
        return Contents(lock=Lock.PDF) if self._found else NOTHING
