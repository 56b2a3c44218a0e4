"""What the parts of a message come to: attached files with decoded sizes, part types, defects (mission M5).

It is told of each part in order and holds short facts of it, and the beginning of its text where that is asked for.
Which files the HTML shows is known at the end only, since pictures may stand before the text that shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.defect import Defect
from gateway.core.facts import Attachment, Field, Part
from gateway.core.header import read_header
from gateway.core.inline import References
from gateway.core.inside.peek import Peek
from gateway.core.mime import PartHeader, read_part
from gateway.core.texts import HTML, OpenText, Texts
from gateway.core.transfer import decoder, sizer


@dataclass(frozen=True, slots=True)
class _File:
    """One attached file; ``shown_as`` is the Content-ID under which the HTML may show it, else empty."""

    attachment: Attachment
    shown_as: bytes


class _OpenFile:
    """A file whose bytes arrive: they are counted, and looked at where their format is worth it."""

    def __init__(self, part: PartHeader) -> None:
        self._part = part
        self._sizer = sizer(part.encoding)
        self._peek = Peek(part.encoding)

    def feed(self, data: bytes) -> None:
        self._sizer.feed(data)
        self._peek.feed(data)

    def close(self) -> _File:
        part, contents = self._part, self._peek.close()
        return _File(
            Attachment(
                name=part.name,
                type=part.type,
                bytes=self._sizer.size(),
                members=contents.members,
                lock=contents.lock,
            ),
            part.content_id if part.may_be_shown else b"",
        )


class _OpenText:
    """Text that arrives and that somebody reads: for what HTML shows, for the detectors, or for both."""

    def __init__(self, encoding: str, references: References | None, kept: OpenText | None) -> None:
        self._decoder = decoder(encoding)
        self._references = references
        self._kept = kept

    def feed(self, data: bytes) -> None:
        self._read(self._decoder.feed(data))

    def close(self) -> None:
        self._read(self._decoder.finish())
        if self._references is not None:
            self._references.end_text()

    def _read(self, text: bytes) -> None:
        if self._references is not None:
            self._references.feed(text)
        if self._kept is not None:
            self._kept.feed(text)


class Parts:
    """The parts so far; `begin`, `feed` and `end` are called for each in turn, for a multipart only `begin`.

    ``texts`` keeps up to ``text_bytes`` of the text.
    """

    def __init__(self, text_bytes: int = 0) -> None:
        self.fields: tuple[Field, ...] = ()
        self.parts: list[Part] = []
        self.defects: dict[str, None] = {}
        self.texts = Texts(text_bytes)
        self._files: list[_File] = []
        self._references = References()
        self._file: _OpenFile | None = None
        self._text: _OpenText | None = None

    def begin(self, block: bytes, *, default_type: str, inside_attached: bool) -> PartHeader:
        """Reads a part's header block; the first one is the message's own."""
        header = read_header(block)
        self._add_defects(header.defects)
        if not self.parts:
            self.fields = header.fields
            self._add_defects(() if header.fields else (Defect.NO_FIELDS,))
        part = read_part(header.fields, default_type=default_type, inside_attached=inside_attached)
        self._add_defects(part.defects)
        self.parts.append(Part(type=part.type, method=part.method, attached=part.attached))
        if not part.is_multipart:
            self._begin_leaf(part)
        return part

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the part's body; what stands outside of parts is passed over."""
        if self._file is not None:
            self._file.feed(data)
        elif self._text is not None:
            self._text.feed(data)

    def end(self) -> None:
        """Ends the part that is open, if one is."""
        if self._file is not None:
            self._files.append(self._file.close())
        elif self._text is not None:
            self._text.close()
        self._file = self._text = None

    def attachments(self) -> tuple[Attachment, ...]:
        """The attached files in order, without the pictures that the HTML shows."""
        shown = self._references.found
        return tuple(file.attachment for file in self._files if file.shown_as not in shown)

    def _begin_leaf(self, part: PartHeader) -> None:
        if part.is_file:
            self._file = _OpenFile(part)
            return
        kept = self.texts.open(part)
        references = self._references if part.type == HTML else None
        if kept is not None or references is not None:
            self._text = _OpenText(part.encoding, references, kept)

    def _add_defects(self, defects: Sequence[str]) -> None:
        self.defects.update(dict.fromkeys(defects))
