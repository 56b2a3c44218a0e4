"""What a protected archive holds of a message: its text, its files, and every byte of it as it was.

The message is read twice: once to find its parts, once for what they hold; never as a whole. Left out on purpose: what
the archive is made of.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from gateway.core.file_names import file_name, unique
from gateway.core.sealed import Face, PartPlace
from gateway.core.texts import HTML
from gateway.core.words import decode_charset
from gateway.sealed.decoding import decoder_for
from gateway.sealed.parts import PartsIndex

ORIGINAL: Final = "original.eml"
_HEADERS: Final = "headers.txt"
_TEXTS: Final = {"text/plain": "message.txt", "text/html": "message.html"}
_UNNAMED: Final = frozenset({"", "us-ascii", "ascii"})
_MOST_TEXT: Final = 4 * 1024 * 1024
"""Bytes of a text that are put into UTF-8; a longer one keeps its own."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that can be read from any byte on; ``read`` gives its bytes from one to another."""

    size: int
    read: Callable[[int, int], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the archive, whose content comes in blocks."""

    name: str
    content: Callable[[], AsyncGenerator[bytes]]


async def face_of(message: Stored) -> Face:
    """Its header for people, and its parts. Raises SpoolError."""
    index = PartsIndex()
    async for block in message.read(0, message.size):
        await asyncio.to_thread(index.feed, block)
    return index.close().face


def items(face: Face, message: Stored) -> tuple[Item, ...]:
    """In the order in which a person looks for them."""
    names = unique([_HEADERS, ORIGINAL, *(_name(part) for part in face.parts)])
    pictures = {part.content_id: name for name, part in zip(names[2:], face.parts, strict=True) if part.content_id}
    parts = [Item(name, _part(message, part, pictures)) for name, part in zip(names[2:], face.parts, strict=True)]
    return (Item(names[0], _headers(face)), *parts, Item(names[1], _whole(message)))


def headers_of(face: Face) -> str:
    """Who wrote what to whom, a line each."""
    named = (("From", face.author), ("To", face.to), ("Cc", face.cc), ("Date", face.date), ("Subject", face.subject))
    return "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in named if value)


async def text_of(message: Stored, part: PartPlace) -> str:
    """A text part, which has at most 4 MiB. Raises SpoolError."""
    data = b"".join([block async for block in decoded(message, part)])
    if part.charset.casefold() not in _UNNAMED:
        return decode_charset(data, part.charset)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What old mail programs wrote without saying so.
        return data.decode("cp1252", "replace")


async def decoded(message: Stored, part: PartPlace) -> AsyncGenerator[bytes]:
    """The decoded bytes of a part. Raises SpoolError."""
    decoder = decoder_for(part.encoding)
    async for block in message.read(part.start, part.end):
        yield decoder.feed(block)
    yield decoder.finish()


def _is_text(part: PartPlace) -> bool:
    return part.type in _TEXTS and not part.attached and not part.name and part.size <= _MOST_TEXT


def _name(part: PartPlace) -> str:
    return _TEXTS[part.type] if _is_text(part) else file_name(part)


def _headers(face: Face) -> Callable[[], AsyncGenerator[bytes]]:
    async def content() -> AsyncGenerator[bytes]:
        yield headers_of(face).encode("utf-8", "replace")

    return content


def _part(message: Stored, part: PartPlace, pictures: Mapping[str, str]) -> Callable[[], AsyncGenerator[bytes]]:
    async def content() -> AsyncGenerator[bytes]:
        if _is_text(part):
            text = await text_of(message, part)
            yield (_page(text, pictures) if part.type == HTML else text).encode("utf-8", "replace")
            return
        async for block in decoded(message, part):
            yield block

    return content


def _page(text: str, pictures: Mapping[str, str]) -> str:
    """HTML as a file beside its pictures; the mark at its start outdoes what it says of its own charset."""
    names = "|".join(re.escape(name) for name in sorted(pictures, key=len, reverse=True))
    shown = re.sub(f"cid:({names})", lambda match: quote(pictures[match[1]]), text) if names else text
    return "\ufeff" + shown


def _whole(message: Stored) -> Callable[[], AsyncGenerator[bytes]]:
    async def content() -> AsyncGenerator[bytes]:
        async for block in message.read(0, message.size):
            yield block

    return content
