"""A message as its page shows it: who and what, its text in order, and its files; nothing of it is markup here.

HTML is only named here: `gateway.portal.frame` shows it in a page of its own.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from gateway.core.file_names import file_name
from gateway.core.sealed import Face, PackageId, PartPlace
from gateway.core.sizes import roughly
from gateway.core.texts import HTML
from gateway.flow.ports import SealedStore
from gateway.portal.contents import Contents, decoded
from gateway.portal.readable import Piece, one_line, pieces, readable
from gateway.portal.sanitise import MOST_HTML

_MOST_TEXT: Final = 512 * 1024
"""Bytes of plain text on one page, all parts together; of what is longer there is the file."""
MOST_BLOCKS: Final = 100
"""Parts on one page; all of them are in the original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """``pieces`` of plain text, or HTML (``framed``) in a frame; ``cut`` says that there is more than is shown."""

    number: int
    framed: bool
    pieces: tuple[Piece, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file to fetch."""

    number: int
    name: str
    size: str
    type: str


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a message for people, each on one line."""

    author: str
    subject: str
    date: str
    to: str
    cc: str


def head_of(face: Face) -> Head:
    """What stands over the message."""
    return Head(*map(one_line, (face.author, face.subject, face.date, face.to, face.cc)))


def file_rows(parts: tuple[PartPlace, ...]) -> tuple[FileRow, ...]:
    """The files as a list for a page."""
    return tuple(FileRow(part.number, file_name(part), roughly(part.size), one_line(part.type)) for part in parts)


async def blocks(store: SealedStore, package: PackageId, sorted_parts: Contents, *, plain: bool) -> tuple[Block, ...]:
    """What is shown of its text; ``plain`` prefers the plain versions. Raises SealedStoreError."""
    parts = sorted_parts.plain if plain and sorted_parts.plain else sorted_parts.body
    left = _MOST_TEXT
    found: list[Block] = []
    for part in parts[:MOST_BLOCKS]:
        if part.type == HTML:
            found.append(Block(number=part.number, framed=True, cut=part.size > MOST_HTML))
            continue
        data = await beginning(store.part(package, part.number, 0, min(part.size, left)))
        left -= len(data)
        text = readable(decoded(data, part.charset))
        found.append(Block(number=part.number, framed=False, pieces=tuple(pieces(text)), cut=part.size > len(data)))
    return tuple(found)


async def beginning(content: AsyncIterator[bytes]) -> bytes:
    """All that comes; whoever calls has asked for no more than fits into memory."""
    return b"".join([block async for block in content])
