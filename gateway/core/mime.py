"""What one part's header says of it: type, name, encoding, whether it is a file, its boundary (RFC 2045, 2183, 2046).

A part is a file (M5) when its disposition says so, when it has a file name, or when it is no text; whether the HTML
shows it instead is known only at the end of the message. Encoded text inside a text part (uuencode) is not looked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.defect import Defect
from gateway.core.facts import Field
from gateway.core.params import MimeValue, read_value

# RFC 2046 section 5.1.1: at most 70 characters. Longer ones are a defect, and followed up to this length.
_MAX_BOUNDARY: Final = 70
_MAX_FOLLOWED: Final = 200
_MAX_NAME: Final = 255
_MAX_ID: Final = 256
_MAX_CHARSET: Final = 75

# type "/" subtype, both tokens (RFC 2045 section 5.1).
_TYPE = re.compile(r"[!#-'*+.0-9A-Z^-~-]+/[!#-'*+.0-9A-Z^-~-]+", re.IGNORECASE)
# RFC 2046's bcharsnospace is narrower; programs in use send these others, and all readers agree on them.
_BOUNDARY = re.compile(rb"[!#-\[\]-~](?:[ !#-\[\]-~]*[!#-\[\]-~])?")
_PICTURE_NAME = re.compile(r".*\.(?:png|gif|jpe?g|bmp|svg|webp|tiff?|emz|wmz)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHeader:
    """``encoding`` is casefolded; ``boundary`` empty when there is none to follow; ``content_id`` without brackets.

    ``charset`` is a text part's, as it was named; empty if it was not.
    """

    type: str
    method: str
    name: str
    encoding: str
    charset: str
    attached: bool
    content_id: bytes
    boundary: bytes
    defects: tuple[Defect, ...]

    @property
    def is_multipart(self) -> bool:
        """Whether its parts are looked into: a multipart without a boundary is one opaque file."""
        return bool(self.boundary)

    @property
    def is_file(self) -> bool:
        """Whether it counts as an attached file, unless the HTML shows it."""
        return self.attached or bool(self.name) or not self.type.startswith("text/")

    @property
    def may_be_shown(self) -> bool:
        """Whether it is a picture that the HTML can show; a file of another type in that place stays a file."""
        picture = self.type.startswith("image/") or (
            self.type == "application/octet-stream" and _PICTURE_NAME.fullmatch(self.name) is not None
        )
        return picture and bool(self.content_id) and not self.attached


def read_part(fields: Sequence[Field], *, default_type: str, inside_attached: bool) -> PartHeader:
    """Reads the MIME fields among ``fields``; of a repeated one the first."""
    mime = {field.name.casefold(): field.value for field in reversed(fields) if field.name[:1] in "Cc"}
    content = read_value(mime.get("content-type", b"") or default_type.encode())
    disposition = read_value(mime.get("content-disposition", b""))
    encoding = mime.get("content-transfer-encoding", b"").decode("latin-1").casefold()
    content_type, type_defects = _read_type(content)
    boundary, boundary_defects = b"", ()
    if content_type.startswith("multipart/"):
        boundary, boundary_defects = _read_boundary(content, encoding)
    return PartHeader(
        type=content_type,
        method=content.text("method").upper()[:40] if content_type == "text/calendar" else "",
        name=_clean(disposition.text("filename") or content.text("name")),
        encoding=encoding,
        charset=content.text("charset")[:_MAX_CHARSET]
        if content_type.startswith("text/") and content.parameters
        else "",
        # An unknown disposition is handled as an attachment (RFC 2183 section 2.8).
        attached=inside_attached or disposition.main not in ("", "inline"),
        content_id=mime.get("content-id", b"").strip(b" \t<>")[:_MAX_ID],
        boundary=boundary,
        defects=(*type_defects, *boundary_defects),
    )


def _read_type(content: MimeValue) -> tuple[str, tuple[Defect, ...]]:
    """A type that cannot be read is text where it says so (RFC 2045 section 5.2), else a file of unknown type."""
    if not _TYPE.fullmatch(content.main):
        composite = "multipart" in content.main or "message" in content.main
        guess = "text/plain" if content.main in ("", "text") else "application/octet-stream"
        return guess, (Defect.CONTENT_TYPE,) if composite else ()
    return content.main[:127], (Defect.FRAGMENT,) if content.main == "message/partial" else ()


def _read_boundary(content: MimeValue, encoding: str) -> tuple[bytes, tuple[Defect, ...]]:
    defects: list[Defect] = []
    boundary = content.parameters.get("boundary", b"")
    if content.malformed or "boundary" in content.twice:
        defects.append(Defect.CONTENT_TYPE)
    if encoding not in ("", "7bit", "8bit", "binary"):
        defects.append(Defect.MULTIPART_ENCODING)
    if any(name.startswith("boundary*") for name in content.parameters):
        defects.append(Defect.BOUNDARY_FORM)
        boundary = boundary or content.text("boundary").encode("latin-1", "replace")
    if not boundary:
        defects.append(Defect.BOUNDARY_MISSING)
    elif not _BOUNDARY.fullmatch(boundary):
        defects.append(Defect.BOUNDARY_CHARACTERS)
    if len(boundary) > _MAX_BOUNDARY:
        defects.append(Defect.BOUNDARY_LONG)
    return boundary if len(boundary) <= _MAX_FOLLOWED else b"", tuple(defects)


def _clean(name: str) -> str:
    """A file name that can be shown: printable, cut; what cannot be shown is replaced, so no name becomes none."""
    name = name[:_MAX_NAME].strip()
    return name if name.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in name)
