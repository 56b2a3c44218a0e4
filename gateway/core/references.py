"""Character references in HTML, such as ``&amp;``, as the characters that they stand for (WHATWG HTML 13.2.5.72).

The standard library's, which fails for a number of some thousand digits; a browser shows U+FFFD for it. Left out on
purpose: attributes, in which some that stand in text are none.
"""

import re
from html import unescape
from typing import Final

# The last character is number 1114111. Zeros in front of a number say nothing.
_MOST_DIGITS: Final = 7
_LONG = re.compile(rf"&#0*+([0-9]*+)(?<=[0-9]{{{_MOST_DIGITS + 1}}});?")


def without_references(text: str) -> str:
    """The text as it is shown; never raises."""
    return unescape(_LONG.sub(_shortened, text) if "&#" in text else text)


def _shortened(number: re.Match[str]) -> str:
    return "\N{REPLACEMENT CHARACTER}" if len(number[1]) > _MOST_DIGITS else f"&#{number[1] or 0};"
