"""The parts of a form with files (RFC 7578), put together from what the parser tells, and why a form is not taken.

The first field has to be the proof that our page made the form. Left out on purpose: temporary files, because nothing
of a reply is to be readable on a disk.
"""

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from python_multipart.multipart import MultipartParser

from gateway.core.params import MimeValue, read_value

MOST_FILES: Final = 20
PROOF: Final = "proof"
_MOST_PARTS: Final = MOST_FILES + 10
LONGEST_FIELD: Final = 256 * 1024
"""Bytes: dozens of pages in any script."""
_NO_VALUE: Final = read_value(b"")


class Trouble(Enum):
    """Why a reply was not sent, each with its HTTP status."""

    FORGED = 403, "not made by this page"
    LATE = 408, "did not arrive in time"
    BAD = 400, "not the form"
    EMPTY = 400, "nothing written"
    TOO_LARGE = 413, "too large"
    TOO_LONG = 413, "the text is too long"
    TOO_MANY = 413, "too many files"
    TOO_OFTEN = 429, "too many replies"
    FOUND = 422, "found by the scanner"
    UNSCANNED = 503, "not scanned"
    BUSY = 503, "too much at once"
    STORE = 503, "the store failed"

    @property
    def status(self) -> int:
        """For the answer."""
        return self.value[0]


class NotTaken(Exception):
    """The form, or what is in it, is not taken; ``name`` is the file that it is about, if any."""

    def __init__(self, trouble: Trouble, name: str = "") -> None:
        super().__init__(trouble.value[1])
        self.trouble = trouble
        self.name = name


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """``name`` is what the browser says."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """The first of each field by name, and the files that were chosen."""

    fields: Mapping[str, str] = field(repr=False)
    files: tuple[UploadedFile, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote, or its beginning where it is ``cut``."""

    text: str = field(default="", repr=False)
    cut: bool = False


@dataclass(slots=True)
class _Part:
    disposition: MimeValue = _NO_VALUE
    content: bytearray = field(default_factory=bytearray)

    @property
    def is_file(self) -> bool:
        return "filename" in self.disposition.parameters or "filename*" in self.disposition.parameters


class Parts:
    """What the parser tells, put together; ``accepts`` judges the proof, and ``proven`` says that it did accept it."""

    def __init__(self, accepts: Callable[[str], bool]) -> None:
        self.proven = False
        self._accepts = accepts
        self._done: list[_Part] = []
        self._part = _Part()
        self._header = bytearray()
        self._value = bytearray()
        self._ended = False
        self._without_files = False

    def parser(self, boundary: bytes, size: int) -> MultipartParser:
        """What to write the form into; it and its end raise FormParserError and NotTaken."""
        if not boundary:
            raise NotTaken(Trouble.BAD)
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._field,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
            max_size=max(size, 1),
        )

    def written(self, name: str) -> Written:
        """What has come of the field of that name; nothing of a form that is not ours."""
        found = [part for part in (*self._done, self._part) if part.disposition.text("name") == name]
        if not found or not self.proven:
            return Written()
        cut = not self.has(name)
        # Half a character at the end of a beginning is left out.
        return Written(codecs.getincrementaldecoder("utf-8")("replace").decode(found[0].content, not cut), cut)

    def has(self, name: str) -> bool:
        """Whether the field of that name has come whole."""
        return any(part.disposition.text("name") == name for part in self._done)

    def forget_files(self) -> None:
        """From now on no file's content is kept, nor what has come of one."""
        self._without_files = True
        for part in (*self._done, self._part):
            if part.is_file:
                part.content = bytearray()

    def upload(self) -> Upload:
        """All of it, once it has ended. Raises NotTaken."""
        if not self._ended or not self._done:
            raise NotTaken(Trouble.BAD)
        named = [(part.disposition.text("name"), part) for part in self._done]
        fields = {name: part.content.decode("utf-8", "replace") for name, part in reversed(named) if not part.is_file}
        files = [(part.disposition.text("filename"), part) for part in self._done if part.is_file]
        # A browser sends a file without a name and content where none was chosen.
        chosen = tuple(UploadedFile(name, bytes(part.content)) for name, part in files if name or part.content)
        if len(chosen) > MOST_FILES:
            raise NotTaken(Trouble.TOO_MANY)
        return Upload(fields, chosen)

    def _begin(self) -> None:
        if len(self._done) >= _MOST_PARTS:
            raise NotTaken(Trouble.TOO_MANY)
        self._part = _Part()

    def _field(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._part.disposition = read_value(bytes(self._value))
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._done and self._part.disposition.text("name") != PROOF:
            raise NotTaken(Trouble.FORGED)
        if self._without_files and self._part.is_file:
            return
        self._part.content += data[start:end]
        if not self._part.is_file and len(self._part.content) > LONGEST_FIELD:
            del self._part.content[LONGEST_FIELD:]
            raise NotTaken(Trouble.TOO_LONG)

    def _end(self) -> None:
        if not self._done and not self._accepts(self._part.content.decode("utf-8", "replace")):
            raise NotTaken(Trouble.FORGED)
        self.proven = True
        self._done.append(self._part)

    def _finish(self) -> None:
        self._ended = True
