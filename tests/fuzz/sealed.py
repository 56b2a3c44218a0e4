"""Fuzz target: a sealed message as the portal shows it: its parts, their bytes in ranges, its text and its HTML."""

from collections.abc import Iterator
from typing import Final

from gateway.core.file_names import file_name
from gateway.core.sealed import PartPlace
from gateway.core.texts import HTML
from gateway.portal.contents import contents, decoded, pictures_by_id
from gateway.portal.readable import pieces as readable_pieces
from gateway.portal.readable import readable
from gateway.portal.sanitise import sanitise
from gateway.portal.shown import file_rows, head_of
from gateway.sealed import decoding
from gateway.sealed.parts import Index, PartsIndex, index_from_bytes, index_to_bytes
from tests.fuzz.target import Target, pieces

_MARK: Final = "mark"


def one(data: bytes) -> None:
    """Every part has its place, and the same bytes in any range; what is shown of it asks for nothing from outside."""
    index = _index([data])
    assert _index(list(pieces(data))) == index
    assert index_from_bytes(index_to_bytes(index)) == index
    face = index.face
    head_of(face)
    sorted_parts = contents(face)
    assert all(row.name and row.name.isprintable() for row in file_rows((*sorted_parts.files, *sorted_parts.pictures)))
    pictures = {name: part.number for name, part in pictures_by_id(face).items()}
    for part in face.parts:
        content = _content(data, index, part)
        assert file_name(part)
        if part in sorted_parts.body:
            _show(content, part, pictures)


def _index(blocks: list[bytes]) -> Index:
    parts = PartsIndex()
    for block in blocks:
        parts.feed(block)
    return parts.close()


def _content(data: bytes, index: Index, part: PartPlace) -> bytes:
    marks = index.marks.get(part.number, ())

    def read(start: int, end: int) -> Iterator[bytes]:
        yield from pieces(data[start:end])

    whole = b"".join(decoding.decoded(part, marks, read, 0, part.size))
    assert len(whole) == part.size
    middle = part.size // 2
    assert b"".join(decoding.decoded(part, marks, read, middle, part.size)) == whole[middle:]
    return whole


def _show(content: bytes, part: PartPlace, pictures: dict[str, int]) -> None:
    if part.type != HTML:
        text = readable(decoded(content, part.charset))
        assert "".join(piece.text for piece in readable_pieces(text)) == text
        text.encode()
        return
    clean = sanitise(decoded(content, part.charset, html=True), pictures, _MARK)
    clean.markup.encode()
    small = clean.markup.lower()
    assert not any(tag in small for tag in ("<script", "<style", "<iframe", "<form", "<link", "<meta", "<svg", "<base"))
    assert sanitise(clean.markup, {}, _MARK).left_out == 0


TARGET: Final = Target(name="sealed", one=one)
