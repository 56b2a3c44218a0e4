"""A message's content for somebody who may see it: text only, printable only, cut to a size.

HTML is reduced to its text, with nothing hidden: what a style would hide is shown. Left out on purpose: what files say,
pictures, links that can be pressed, and downloads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from gateway.core.facts import Attachment, Scan
from gateway.core.scan import Scanner, TooComplex
from gateway.core.sizes import roughly
from gateway.core.texts import HTML
from gateway.core.words import to_text

MOST_READ: Final = 1024 * 1024
"""Bytes of a message that are read for it."""
_MOST_TEXT: Final = 64 * 1024
_LONGEST_SUBJECT: Final = 1000
_BLOCK: Final = 256 * 1024
_UNSEEN: Final = frozenset({"script", "style"})
_INLINE: Final = frozenset({"a", "b", "i", "u", "em", "strong", "span", "font", "small", "big", "sub", "sup", "code"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows. ``texts`` are the parts in order; ``cut`` says that there is more of it."""

    subject: str
    texts: tuple[str, ...]
    files: tuple[str, ...]
    cut: bool


def show(beginning: bytes, size: int, attachments: Sequence[Attachment]) -> Shown | None:
    """The content of a message of ``size`` bytes; None if it cannot be read. Takes a moment of CPU."""
    scanner = Scanner(text_bytes=_MOST_TEXT)
    try:
        for start in range(0, len(beginning), _BLOCK):
            scanner.feed(beginning[start : start + _BLOCK])
        scan = scanner.close()
    except TooComplex:
        return None
    return Shown(
        subject=printable(_subject(scan)),
        texts=tuple(printable(_plain(one.text) if one.type == HTML else one.text) for one in scan.texts),
        files=tuple(
            printable(f"{one.name or 'without a name'} ({one.type}, {roughly(one.bytes)})") for one in attachments
        ),
        cut=size > len(beginning) or sum(len(one.text) for one in scan.texts) >= _MOST_TEXT,
    )


def printable(text: str) -> str:
    """Lines of text without control and formatting characters, which could show it in another order."""
    lines = text.replace("\t", "    ").splitlines()
    return "\n".join(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line) for line in lines
    )


def _subject(scan: Scan) -> str:
    return " / ".join(to_text(value) for value in scan.values("Subject"))[:_LONGEST_SUBJECT]


def _plain(markup: str) -> str:
    reader = _Text()
    reader.feed(markup)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(line for line in lines if line)


class _Text(HTMLParser):
    """Collects the text of a page, a line end for each element that is not within a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)

    def _break(self, tag: str) -> None:
        if tag not in _INLINE:
            self.words.append("\n")
