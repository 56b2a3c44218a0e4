"""Passwords that are evident in text: a word for it, "is" or a colon, and what looks like one behind it (R12).

"The password will follow by telephone" is what the paper asks for, so words that say so are no password. English only.
"""

import re
from typing import Final

_SAID = re.compile(
    r"\b(?:pass[ -]?(?:word|code|phrase)|pwd|pin(?: (?:code|number))?)\b"
    # What it is for, such as "for the attached file".
    r"(?: (?:for|to|of) [^\n:=]{1,60}?)?"
    r"\s{0,2}(?P<how>\b(?:is|was)\b(?: as follows| below)?\s{0,2}:?|[:=]|[-–—]\s)"
    r"\s{0,4}(?P<quote>[\"'“‘«]?)(?P<word>[^\s\"'”’»]{1,64})",
    re.IGNORECASE,
)
_SHORTEST: Final = 4
# What a sentence ends with, or a list goes on with, belongs to no password.
_BEHIND: Final = ".,;:!?)"
_MIXED = re.compile(r"[0-9!@#$%^&*_+=~]")
_LINE_ENDS = re.compile(r"[^\S\n]{0,8}(?:\n|\Z)")
# What one says of a password: that it is expired, changing, separately sent, available.
_SAID_OF_IT = re.compile(r".*(?:ed|ing|ly|able)")
_SAYS_NOTHING: Final = frozenset(
    """above below blank case-sensitive confidential correct different invalid known mandatory none optional pending
    personal private ready right same secret secure sent strong unknown valid weak wrong yours""".split()
)


def holds_password(text: str) -> bool:
    """Whether it says what a password is."""
    return any(_is_evident(match, text) for match in _SAID.finditer(text))


def _is_evident(match: re.Match[str], text: str) -> bool:
    word = match["word"].rstrip(_BEHIND)
    if len(word) < _SHORTEST or word.casefold() in _SAYS_NOTHING or "://" in word:
        return False
    if not any(map(str.isalnum, word)):
        # A row of asterisks or dots is a mask.
        return False
    if match["quote"] or _MIXED.search(word):
        return True
    # A bare word is one only if nothing stands behind it on the line.
    alone = match["how"].strip() not in tuple("-–—") and _LINE_ENDS.match(text, match.end("word")) is not None
    return alone and _SAID_OF_IT.fullmatch(word.casefold()) is None
