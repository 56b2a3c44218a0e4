"""The sender's own words: the text of a message without the mail that it answers or passes on.

English programs' marks are known: lines behind ``>``, "-----Original Message-----", and the block of From, Sent or
Date, To or Subject that Outlook puts above a quoted message. Everything behind the last two is quoted.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from gateway.core.detect.html import Line, html_lines
from gateway.core.facts import Scan, Text
from gateway.core.texts import HTML, beginnings

_ORIGINAL = re.compile(
    r"\W{0,4}-{2,20} ?(?:original message|original appointment|forwarded (?:message|by)).*|begin forwarded message:\W*",
    re.IGNORECASE,
)
_FROM = re.compile(r"\W{0,4}from:", re.IGNORECASE)
_SENT = re.compile(r"(?:^|\W)(?:sent|date):", re.IGNORECASE)
_TO = re.compile(r"(?:^|\W)(?:to|subject):", re.IGNORECASE)
# A block's From, Sent, To, Cc, Subject, with a recipients' line that goes on.
_BLOCK: Final = 8
# A line of text is looked at so far for these marks; they stand at its beginning.
_REACH: Final = 300


@lru_cache(maxsize=2)
def _own(text: Text) -> tuple[Line, ...]:
    """One text's; kept until the next message, because every detector asks for the same two."""
    lines = html_lines(text.text) if text.type == HTML else [Line(line) for line in text.text.splitlines()]
    return tuple(_without_quoted(lines))


def own_lines(scan: Scan, limit: int) -> Iterator[Line]:
    """The lines of all text parts, of their first ``limit`` characters (`beginnings`)."""
    for text in beginnings(scan.texts, limit):
        yield from _own(text)


def own_text(scan: Scan, limit: int) -> str:
    """The same as one text, a line end between lines."""
    return "\n".join(line.text for line in own_lines(scan, limit))


def _without_quoted(lines: Sequence[Line]) -> Iterator[Line]:
    for number, line in enumerate(lines):
        if _ORIGINAL.match(line.text[:_REACH]) or _begins_block(lines[number : number + _BLOCK]):
            return
        if not line.text.lstrip().startswith(">"):
            yield line


def _begins_block(lines: Sequence[Line]) -> bool:
    """Whether a quoted message's head begins with the first of them."""
    if not _FROM.match(lines[0].text[:_REACH]):
        return False
    head = "\n".join(line.text[:_REACH] for line in lines)
    return _SENT.search(head) is not None and _TO.search(head) is not None
