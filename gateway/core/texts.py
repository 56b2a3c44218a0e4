"""The beginning of a message's text, for detectors that read it; nothing at all is kept unless one does.

Plain text and HTML that are not attached count, decoded by the charset that the part names (RFC 2045 section 5.1, RFC
2046 section 4.1.2). Without one it is UTF-8 if it can be, else Latin-1. What HTML itself says of its charset, and other
text formats (enriched, calendars), are left out.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.core.facts import Text
from gateway.core.mime import PartHeader
from gateway.core.words import decode_charset

HTML: Final = "text/html"
_TYPES: Final = ("text/plain", HTML)
# Named by programs that never looked: it says nothing of bytes above 127.
_NO_CHARSETS: Final = frozenset({"", "us-ascii", "ascii"})


@dataclass(slots=True)
class OpenText:
    """One text part as it arrives. ``rooms`` are shared by all: how many bytes are still kept of each type."""

    type: str
    charset: str
    rooms: dict[str, int]
    kept: bytearray = field(default_factory=bytearray)

    def feed(self, decoded: bytes) -> None:
        """Takes the next bytes, transfer encoding undone."""
        room = self.rooms[self.type]
        if room:
            self.kept += decoded[:room]
            self.rooms[self.type] = room - min(len(decoded), room)

    def text(self) -> Text:
        """What was kept of it."""
        return Text(self.type, _decode(bytes(self.kept), self.charset))


class Texts:
    """All text parts of a message, up to ``limit`` bytes of each type; `beginnings` then divides the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rooms: dict[str, int] = dict.fromkeys(_TYPES, limit)
        self._parts: list[OpenText] = []

    def open(self, part: PartHeader) -> OpenText | None:
        """Where the part's bytes are to be fed; None if nobody wants them."""
        if part.is_file or not self._rooms.get(part.type, 0):
            return None
        text = OpenText(part.type, part.charset, self._rooms)
        self._parts.append(text)
        return text

    def found(self) -> tuple[Text, ...]:
        """The texts, in order."""
        return beginnings([part.text() for part in self._parts], self._limit)


def beginnings(texts: Sequence[Text], limit: int) -> tuple[Text, ...]:
    """The first ``limit`` characters, half of them of each type: long plain text does not hide the HTML beside it."""
    html = sum(len(text.text) for text in texts if text.type == HTML)
    plain = sum(len(text.text) for text in texts) - html
    if html + plain <= limit:
        return tuple(texts)
    rooms = {HTML: max(limit // 2, limit - plain), "": max(limit - limit // 2, limit - html)}
    cut: list[Text] = []
    for text in texts:
        kind = HTML if text.type == HTML else ""
        cut.append(replace(text, text=text.text[: rooms[kind]]))
        rooms[kind] -= len(cut[-1].text)
    return tuple(text for text in cut if text.text)


def _decode(data: bytes, charset: str) -> str:
    if charset.casefold() not in _NO_CHARSETS:
        return decode_charset(data, charset)
    try:
        # A character that the end of what was kept has cut in two is no sign of another charset.
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return data.decode("latin-1")
