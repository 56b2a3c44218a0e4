"""The name that somebody outside gave, as our own pages and letters can repeat it: words, and nothing to click on.

It is free text from whoever opened a message. Left out on purpose: whether it is true, and a name that passes for a
colleague's: whoever shows it says that it was given, and by whom it may have been.
"""

import re
import unicodedata
from typing import Final

_LONGEST: Final = 60
# A hyphen, a comma, and the apostrophe as it is typed on a keyboard and by a telephone.
_BESIDES: Final = frozenset(" .,-'\N{RIGHT SINGLE QUOTATION MARK}")
# Mail programs make a link of whatever has a full stop between letters.
_INSIDE: Final = re.compile(r"\.(?! |$)")


def given_name(text: str) -> str:
    """At most 60 characters on one line, without quotes, digits, and what a host or a URL needs; empty if no word."""
    words = "".join(char if _is_named(char) else " " for char in text)
    shown = " ".join(_INSIDE.sub(" ", words).split())[:_LONGEST].strip()
    return shown if any(map(str.isalpha, shown)) else ""


def _is_named(char: str) -> bool:
    return char in _BESIDES or unicodedata.category(char)[0] in "LM"
