"""Which parts an HTML text shows: its ``cid:`` references in picture and background places (RFC 2392).

A search of the text, no HTML parser. What is not certain is not shown, so the file counts as attached: a link, plain
words, a comment, a place in CSS behind odd syntax, ``Cid:`` in mixed case, and all references past the limit.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

# The longest tag start and the longest identifier that are looked at; together they bound what is kept of the text.
_TAG_BYTES: Final = 1024
_ID_BYTES: Final = 256
_KEPT: Final = _TAG_BYTES + len(b"cid:") + _ID_BYTES
# A picture is shown once or twice; real messages stay far below this number of references.
_MAX_REFERENCES: Final = 1000

_SHOWN = re.compile(
    rb"(?:[\s\"'/](?:src|background)\s*+=\s*+[\"']?+|url\(\s*+[\"']?+)\s*+\Z",
    re.IGNORECASE,
)
_ID = re.compile(rb"""[^"'\s<>()]+""")


class References:
    """Collects references from decoded HTML, block by block; ``found`` holds the identifiers as bytes."""

    def __init__(self) -> None:
        self.found: set[bytes] = set()
        self._looked_at = 0
        self._begin_text()

    def _begin_text(self) -> None:
        self._text = b""
        self._searched = 0
        self._in_comment = False

    def feed(self, text: bytes) -> None:
        """Takes the next block of one HTML text."""
        self._text += text
        self._search(len(self._text) - len(b"cid:") - _ID_BYTES)
        self._drop(len(self._text) - _KEPT)

    def end_text(self) -> None:
        """Ends one HTML text; another may follow."""
        self._search(len(self._text))
        self._begin_text()

    def _search(self, end: int) -> None:
        """Looks at the references that begin before ``end`` and were not looked at yet."""
        for scheme in (b"cid:", b"CID:"):
            last = max(end + len(scheme) - 1, 0)
            at = self._text.find(scheme, self._searched, last)
            while at >= 0 and self._looked_at < _MAX_REFERENCES:
                self._look(at)
                at = self._text.find(scheme, at + 1, last)
        self._searched = max(end, self._searched)

    def _look(self, at: int) -> None:
        self._looked_at += 1
        tag = self._text.rfind(b"<", max(at - _TAG_BYTES, 0), at)
        identifier = _ID.match(self._text, at + len(b"cid:"), at + len(b"cid:") + _ID_BYTES)
        if tag < 0 or identifier is None or self._text.find(b">", tag, at) >= 0:
            return
        if _SHOWN.search(self._text, tag, at) and not self._comment_open(at):
            self.found.add(unquote_to_bytes(identifier.group()))

    def _comment_open(self, at: int) -> bool:
        opened, closed = self._text.rfind(b"<!--", 0, at), self._text.rfind(b"-->", 0, at)
        return self._in_comment if opened == closed else opened > closed

    def _drop(self, count: int) -> None:
        """Forgets the first ``count`` bytes but for whether a comment that began in them is open."""
        if count <= 0:
            return
        # The ends are as far behind as a token that begins within the dropped bytes may reach.
        opened, closed = self._text.rfind(b"<!--", 0, count + 3), self._text.rfind(b"-->", 0, count + 2)
        if opened != closed:
            self._in_comment = opened > closed
        self._text = self._text[count:]
        self._searched -= count
