"""Which style declarations of a message may stay: by a list of what is harmless, property and value; pure.

Values are words, numbers, quoted names and colours alone. So there is no address in them, no expression, no escape and
no comment by which one could hide. Left out on purpose: positions, layers, backgrounds but their colour, and variables.
"""

import re
from typing import Final

_SIDES: Final = ("", "-top", "-right", "-bottom", "-left")
_PROPERTIES: Final = frozenset(
    {
        *"background-color border-collapse border-spacing caption-side clear color direction display empty-cells float"
        " font font-family font-size font-style font-variant font-weight height letter-spacing line-height"
        " list-style-type max-height max-width min-height min-width mso-line-height-rule overflow-wrap table-layout"
        " text-align text-decoration text-indent text-transform unicode-bidi vertical-align white-space width"
        " word-break word-spacing word-wrap border-radius border-color border-style border-width".split(),
        *(f"{name}{side}" for name in ("margin", "padding", "border") for side in _SIDES),
        *(f"border{side}-{what}" for side in _SIDES[1:] for what in ("color", "style", "width")),
    }
)
# Possessive all through: a value that is no list of these is found out in one reading.
_NUMBERS: Final = r"[\d\s.,%/]{1,60}+"
_TOKEN: Final = rf"""(?:rgba?|hsla?)\({_NUMBERS}\)|"[\w .,-]{{0,60}}+"|'[\w .,-]{{0,60}}+'|[\w#%.+-]{{1,60}}+"""
_VALUE = re.compile(rf"(?:(?:{_TOKEN})[\s,/]*+){{1,40}}+(?:!\s*important)?", re.IGNORECASE | re.ASCII)
_REMOTE = re.compile(r"url\s*\(|image-set\s*\(|@import", re.IGNORECASE)


def harmless(style: str) -> str:
    """The declarations of a ``style`` attribute that may stay; empty if none may."""
    declarations = (declaration.partition(":") for declaration in style.split(";"))
    kept = [
        f"{name.strip().lower()}:{value.strip()}"
        for name, _, value in declarations
        if name.strip().lower() in _PROPERTIES and _VALUE.fullmatch(value.strip())
    ]
    return ";".join(kept)


def fetches(style: str) -> int:
    """How many things a browser would fetch for it."""
    return len(_REMOTE.findall(style))
