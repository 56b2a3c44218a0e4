"""A message's content for somebody who may see it: text only, printable only, cut to a size.

HTML is reduced to its text, with nothing hidden: what a style would hide is shown. Left out on purpose: what files say,
pictures, links that can be pressed, and downloads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.facts import Attachment, Scan
from gateway.core.references import without_references
from gateway.core.scan import Scanner, TooComplex
from gateway.core.sizes import roughly
from gateway.core.texts import HTML
from gateway.core.words import to_text

MOST_READ: Final = 1024 * 1024
"""Bytes of a message that are read for it."""
_MOST_TEXT: Final = 64 * 1024
_LONGEST_SUBJECT: Final = 1000
_BLOCK: Final = 256 * 1024
_UNSEEN: Final = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style")}
# A comment's beginning, a tag, or a declaration; possessive, so that nothing is read twice.
_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][\w:-]{0,40}+)[^<>]*+>?|[!?][^<>]*+>?)")
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
        cut=size > len(beginning) or _is_full(scan),
    )


def printable(text: str) -> str:
    """Lines of text without control and formatting characters, which could show it in another order."""
    lines = text.replace("\t", "    ").splitlines()
    return "\n".join(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line) for line in lines
    )


def _is_full(scan: Scan) -> bool:
    """Whether there may be more text than was kept; a character can have been cut in two."""
    return sum(len(one.text.encode("utf-8", "replace")) for one in scan.texts) > _MOST_TEXT - 4


def _subject(scan: Scan) -> str:
    return " / ".join(to_text(value) for value in scan.values("Subject"))[:_LONGEST_SUBJECT]


def _plain(markup: str) -> str:
    """One pass in linear time; a line end for each tag that does not stand within a line."""
    words: list[str] = []
    at = 0
    while tag := _TAG.search(markup, at):
        words.append(without_references(markup[at : tag.start()]))
        name = (tag[3] or "").lower()
        words.append("" if name in _INLINE else "\n")
        at = _behind(markup, tag, name)
    words.append(without_references(markup[at:]))
    lines = (" ".join(line.split()) for line in "".join(words).splitlines())
    return "\n".join(line for line in lines if line)


def _behind(markup: str, tag: re.Match[str], name: str) -> int:
    """Where reading goes on: behind the tag, and behind what belongs to it and is no text."""
    if tag[1]:
        end = markup.find("-->", tag.end())
        return len(markup) if end < 0 else end + 3
    if tag[2] or name not in _UNSEEN:
        return tag.end()
    found = _UNSEEN[name].search(markup, tag.end())
    return found.start() if found else len(markup)
