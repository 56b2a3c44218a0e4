"""What the parts of a message come to: attached files with decoded sizes, part types, defects (mission M5).

It is told of each part in order and holds short facts of it. Which files the HTML shows is known at the end only, since
pictures may stand before the text that shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.defect import Defect
from gateway.core.facts import Attachment, Field, Part
from gateway.core.header import read_header
from gateway.core.inline import References
from gateway.core.mime import PartHeader, read_part
from gateway.core.transfer import Decoder, Sizer, decoder, sizer


@dataclass(frozen=True, slots=True)
class _File:
    """One attached file; ``shown_as`` is the Content-ID under which the HTML may show it, else empty."""

    attachment: Attachment
    shown_as: bytes


class Parts:
    """The parts so far; `begin`, `feed` and `end` are called for each in turn, for a multipart only `begin`."""

    def __init__(self) -> None:
        self.fields: tuple[Field, ...] = ()
        self.parts: list[Part] = []
        self.defects: dict[str, None] = {}
        self._files: list[_File] = []
        self._references = References()
        self._leaf: PartHeader | None = None
        self._sizer: Sizer | None = None
        self._decoder: Decoder | None = None

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
        if self._sizer is not None:
            self._sizer.feed(data)
        elif self._decoder is not None:
            self._references.feed(self._decoder.feed(data))

    def end(self) -> None:
        """Ends the part that is open, if one is."""
        if self._leaf is not None and self._sizer is not None:
            leaf = self._leaf
            attachment = Attachment(name=leaf.name, type=leaf.type, bytes=self._sizer.size())
            self._files.append(_File(attachment, leaf.content_id if leaf.may_be_shown else b""))
        elif self._decoder is not None:
            self._references.end_text()
        self._leaf = self._sizer = self._decoder = None

    def attachments(self) -> tuple[Attachment, ...]:
        """The attached files in order, without the pictures that the HTML shows."""
        shown = self._references.found
        return tuple(file.attachment for file in self._files if file.shown_as not in shown)

    def _begin_leaf(self, part: PartHeader) -> None:
        self._leaf = part
        if part.is_file:
            self._sizer = sizer(part.encoding)
        elif part.type == "text/html":
            self._decoder = decoder(part.encoding)

    def _add_defects(self, defects: Sequence[str]) -> None:
        self.defects.update(dict.fromkeys(defects))
