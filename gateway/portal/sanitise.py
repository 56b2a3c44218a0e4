"""HTML of a message made safe to show: no script, no form, nothing that a browser would fetch, links that say so.

`gateway.portal.tidy` first makes it regular, then ammonia (nh3) parses it as browsers do and leaves a list of tags.
Left out on purpose: style sheets, and what becomes of pictures, which only get a mark here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

import nh3

from gateway.portal.styles import fetches, harmless
from gateway.portal.tidy import ATTRIBUTES, tidy

MOST_HTML: Final = 5 * 1024 * 1024
"""Bytes of HTML that are shown; of a longer one there is the text, and the original."""
_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "cid", "data"})
_NO_TAGS: Final = {ord("<"): None, ord(">"): None}
_LINK = re.compile(r"(?:https?|mailto|tel):", re.IGNORECASE)
_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/=\s]*+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clean:
    """``markup`` may be shown; ``left_out`` is how many pictures and the like it would have fetched."""

    markup: str
    left_out: int


@dataclass(slots=True)
class _Filter:
    """Decides on each attribute; ``pictures`` are the numbers of pictures of the message by Content-ID."""

    mark: str
    pictures: Mapping[str, int]
    left_out: int = field(default=0)

    def __call__(self, tag: str, name: str, value: str) -> str | None:
        match name:
            case "href":
                return value if _LINK.match(value) else None
            case "src":
                return self._picture(value)
            case "background":
                self.left_out += 1
                return None
            case "style":
                self.left_out += fetches(value)
                return harmless(value) or None
            case _:
                # In no other attribute do these mean anything, and some parsers have taken them for tags.
                return value.translate(_NO_TAGS)

    def _picture(self, value: str) -> str | None:
        if _DATA.fullmatch(value):
            return value
        scheme, _, name = value.strip().partition(":")
        if scheme.lower() != "cid":
            self.left_out += 1
            return None
        number = self.pictures.get(unquote(name))
        return None if number is None else f"cid:{self.mark}-{number}"


def sanitise(markup: str, pictures: Mapping[str, int], mark: str) -> Clean:
    """Cleans HTML of at most `MOST_HTML`; takes a moment of CPU, so call it in a thread.

    A picture of the message has the address ``cid:MARK-NUMBER``; ``mark`` is a word that nobody could know before.
    """
    decide = _Filter(mark, pictures)
    # A lone surrogate is no text, and the parser takes none.
    text = tidy(markup.encode("utf-8", "replace").decode())
    cleaned = nh3.clean(
        text,
        tags=set(ATTRIBUTES),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=decide,
        url_schemes=set(_SCHEMES),
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return Clean(cleaned, decide.left_out)
