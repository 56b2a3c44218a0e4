"""Where the parts of a message stand, found while it is sealed: the same parts that the gateway's own scan sees.

What is kept is what a page needs to show the message and to give out any of its parts without reading the rest. Left
out on purpose: looking into attached messages, which are files; and uuencode.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.core.facts import Field
from gateway.core.mail_names import one_line
from gateway.core.mime import PartHeader
from gateway.core.parts import Parts
from gateway.core.scan import ScanLimits, Scanner, TooComplex
from gateway.core.sealed import Face, PartPlace
from gateway.core.words import to_text
from gateway.sealed.decoding import Mark, Measure
from gateway.sealed.keys import Damaged

_LIMITS: Final = ScanLimits(parts=10_000)
_LONGEST: Final = 2000
_WHOLE: Final = "message/rfc822"


@dataclass(frozen=True, slots=True)
class Index:
    """What is kept beside the content: the face, and by part number where its decoding can begin."""

    face: Face
    marks: Mapping[int, tuple[Mark, ...]]


_STORED: Final = TypeAdapter(Index)


def index_to_bytes(index: Index) -> bytes:
    """For the store, which seals it."""
    return _STORED.dump_json(index)


def index_from_bytes(data: bytes) -> Index:
    """Raises Damaged."""
    try:
        return _STORED.validate_json(data)
    except ValidationError:
        raise Damaged("the index of a sealed message cannot be read") from None


class PartsIndex:
    """Feed it the message, header first, then take the index."""

    def __init__(self) -> None:
        self._scan = _Scan()
        self._size = 0
        self._lost = False

    def feed(self, block: bytes) -> None:
        """Takes the next bytes, in blocks of any size; it never refuses a message."""
        self._size += len(block)
        if not self._lost:
            self._try(lambda: self._scan.feed(block))

    def close(self) -> Index:
        """Ends the message. One that cannot be taken apart, or has no part at all, is one part: the whole of it."""
        if not self._lost:
            self._try(self._scan.finish)
        leaves = self._scan.leaves
        places, marks = ((), {}) if self._lost else (leaves.places(), leaves.marks())
        return Index(_face(leaves.fields, places or self._whole(), self._size), marks)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except TooComplex:
            self._lost = True

    def _whole(self) -> tuple[PartPlace, ...]:
        return (
            PartPlace(
                number=0, type=_WHOLE, charset="", name="message.eml", content_id="", encoding="8bit", attached=True,
                start=0, end=self._size, size=self._size,
            ),
        )  # fmt: skip


class _Leaf:
    """One part that is no multipart, while its bytes arrive."""

    def __init__(self, header: PartHeader, inside: str, alternative: int) -> None:
        self.header = header
        self.inside = inside
        self.alternative = alternative
        self.start = self.end = 0
        self.measure = Measure(header.encoding)

    def feed(self, data: bytes, offset: int) -> None:
        if not self.end:
            self.start = offset
        self.end = offset + len(data)
        self.measure.feed(data, offset)

    def place(self, number: int) -> PartPlace:
        header = self.header
        return PartPlace(
            number=number,
            type=header.type,
            charset=header.charset,
            name=header.name,
            content_id=header.content_id.decode("utf-8", "replace"),
            encoding=header.encoding,
            attached=header.attached,
            start=self.start,
            end=self.end,
            size=self.measure.size,
            inside=self.inside,
            alternative=self.alternative,
        )


class _Leaves(Parts):
    """Takes the parts from the scan, with where they stand."""

    def __init__(self, position: Callable[[], int], depth: Callable[[], int]) -> None:
        super().__init__()
        self._position = position
        self._depth = depth
        self._around: list[tuple[str, int]] = []
        self._alternatives = 0
        self._leaves: list[_Leaf] = []
        self._open: _Leaf | None = None

    def begin(self, block: bytes, *, default_type: str, inside_attached: bool) -> PartHeader:
        """See `Parts`."""
        part = super().begin(block, default_type=default_type, inside_attached=inside_attached)
        del self._around[self._depth() :]
        if part.is_multipart:
            outer = self._around[-1][1] if self._around else -1
            alternative = part.type == "multipart/alternative"
            self._around.append((part.type, self._alternatives if alternative else outer))
            self._alternatives += alternative
        return part

    def _begin_leaf(self, part: PartHeader) -> None:
        inside, alternative = self._around[self._depth() - 1] if self._depth() else ("", -1)
        self._open = _Leaf(part, inside, alternative)
        self._leaves.append(self._open)

    def feed(self, data: bytes) -> None:
        """See `Parts`."""
        if self._open is not None:
            self._open.feed(data, self._position())

    def end(self) -> None:
        """See `Parts`."""
        if self._open is not None:
            self._open.measure.close()
        self._open = None

    def places(self) -> tuple[PartPlace, ...]:
        return tuple(leaf.place(number) for number, leaf in enumerate(self._leaves))

    def marks(self) -> dict[int, tuple[Mark, ...]]:
        found = {number: tuple(leaf.measure.marks) for number, leaf in enumerate(self._leaves)}
        return {number: marks for number, marks in found.items() if marks}


class _Scan(Scanner):
    """The gateway's own scan, which tells where it stands."""

    def __init__(self) -> None:
        super().__init__(_LIMITS)
        self.leaves = _Leaves(lambda: self._eaten, lambda: len(self._boundaries.levels))
        self._parts = self.leaves

    def finish(self) -> None:
        """Ends the message."""
        self.close()


def _face(fields: tuple[Field, ...], parts: tuple[PartPlace, ...], size: int) -> Face:
    return Face(
        author=_text(fields, "from"),
        subject=_text(fields, "subject"),
        date=_text(fields, "date"),
        to=_text(fields, "to"),
        cc=_text(fields, "cc"),
        parts=parts,
        size=size,
    )


def _text(fields: tuple[Field, ...], name: str) -> str:
    """All fields of that name as text that can be shown, cut to a length."""
    found = ", ".join(to_text(field.value) for field in fields if field.name.casefold() == name)
    return one_line(found[: 2 * _LONGEST], _LONGEST)
