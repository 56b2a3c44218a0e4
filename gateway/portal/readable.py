"""Text of a message as a page may show it: what is printable, and web addresses that say where they lead; pure.

Addresses are links only where they stand in plain ASCII and whole, so that the link's text is its target. Left out on
purpose: guessing at addresses without https:// or http://.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Joiners and the soft hyphen belong to words of some languages and reorder nothing.
_KEPT: Final = frozenset("\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}\N{SOFT HYPHEN}\t")
# Other spaces, characters younger than our tables, and those that fonts of their own define.
_WORDLESS: Final = frozenset({"Zs", "Cn", "Co"})
# These only change the order or the looks of what stands around them.
_DROPPED: Final = frozenset(
    "\u200b\u200e\u200f\u2060\ufeff\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_ADDRESS = re.compile(r"\bhttps?://[!#-;=?-~]{1,2000}+")
_BEHIND: Final = ".,;:!?)]}'*_"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text; ``link`` says that it is a web address."""

    text: str
    link: bool = False


def readable(text: str) -> str:
    """Lines of text without controls, and without characters that would show it in another order."""
    return "\n".join("".join(map(_shown, line)) for line in text.splitlines())


def one_line(text: str) -> str:
    """The same on one line, for a name or a header field."""
    return " ".join(readable(text).split())


def _shown(char: str) -> str:
    if char.isprintable() or char in _KEPT or unicodedata.category(char) in _WORDLESS:
        return char
    return "" if char in _DROPPED else "\N{REPLACEMENT CHARACTER}"


def pieces(text: str) -> Iterator[Piece]:
    """The text in order, its web addresses apart; a full stop behind one is not part of it."""
    at = 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(_BEHIND)
        if not address.partition("://")[2]:
            continue
        if at < found.start():
            yield Piece(text[at : found.start()])
        yield Piece(address, link=True)
        at = found.start() + len(address)
    if at < len(text):
        yield Piece(text[at:])
