"""What of a message is its text, what are pictures in it, and what are files; pure, from its `Face`.

Every part is somewhere: what is neither text nor a picture of it is a file, and other versions of a text remain.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.sealed import Face, PartPlace
from gateway.core.texts import HTML
from gateway.core.words import decode_charset

PLAIN: Final = "text/plain"
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
_NO_CHARSETS: Final = frozenset({"", "us-ascii", "ascii"})
_META: Final = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w-]{1,40})""", re.IGNORECASE)
_META_WITHIN: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """``body`` is what is shown, in order; ``texts`` are its plain versions; each part is in one of the four."""

    body: tuple[PartPlace, ...]
    texts: tuple[PartPlace, ...]
    pictures: tuple[PartPlace, ...]
    files: tuple[PartPlace, ...]

    @property
    def plain(self) -> tuple[PartPlace, ...]:
        """All that can be read as plain text, in order."""
        texts = (*self.texts, *(part for part in self.body if part.type == PLAIN))
        return tuple(sorted(texts, key=lambda part: part.number))


def contents(face: Face) -> Contents:
    """Sorts the parts. Of the choices of an alternative the HTML is shown, or its text."""
    readable = [part for part in face.parts if _is_readable(part)]
    better = {part.alternative for part in readable if part.type == HTML and part.alternative >= 0}
    hidden = {part.number for part in readable if part.type == PLAIN and part.alternative in better}
    pictures = {part.number for part in face.parts if _is_picture(part)}
    numbers = {part.number for part in readable}
    return Contents(
        body=tuple(part for part in readable if part.number not in hidden),
        texts=tuple(part for part in readable if part.number in hidden),
        pictures=tuple(part for part in face.parts if part.number in pictures),
        files=tuple(part for part in face.parts if part.number not in numbers | pictures),
    )


def _is_readable(part: PartPlace) -> bool:
    return part.type in (PLAIN, HTML) and not part.attached and not part.name


def _is_picture(part: PartPlace) -> bool:
    return part.type in PICTURES and bool(part.content_id) and not part.attached and part.inside == "multipart/related"


def pictures_by_id(face: Face) -> Mapping[str, PartPlace]:
    """What HTML may show by its Content-ID (RFC 2392), also what is among the files; of two the first holds."""
    named = [part for part in face.parts if part.type in PICTURES and part.content_id]
    return {part.content_id: part for part in reversed(named)}


def decoded(data: bytes, charset: str, *, html: bool = False) -> str:
    """The text of a part: as its charset says, or its HTML; else UTF-8, else what old mail programs wrote."""
    named = charset.casefold()
    if named in _NO_CHARSETS and html and (found := _META.search(data[:_META_WITHIN])):
        named = found[1].decode("ascii").casefold()
    if named not in _NO_CHARSETS:
        return decode_charset(data, named)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
