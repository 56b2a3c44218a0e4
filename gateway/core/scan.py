"""One streaming pass over a message as it arrives: fields, attached files with decoded sizes, defects (RFC 5322, 2045).

It is fed the received bytes, unstuffed, with CRLF lines, in blocks of any size; it builds no tree and holds no body:
a header block, one window of the body, short facts of each part and the beginning of the text, where that is asked for,
are all that is kept. Subjects are cut to what `core.subject` reads. An attached message counts whole and is not looked
into. Bare CR or LF in the body are the listener's to refuse.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.boundaries import Boundaries, Delimiter, Unfinished, Window
from gateway.core.defect import Defect
from gateway.core.facts import Scan
from gateway.core.parts import Parts
from gateway.core.subject import shortened

# The message is worked on in blocks of exactly this size, whatever it is fed in: many tiny feeds cost no more, and the
# result cannot depend on where the network cut.
_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """What a message may demand of us; far above real mail, and each bounds time and memory.

    ``header_bytes`` and ``fields`` hold for each header block, the message's and every part's (Exchange: 256 KiB).
    ``parts`` counts the lines that begin like a boundary (amavisd: 1500 files). ``depth`` counts multiparts within each
    other: real mail stays below 10, Postfix allows 100, but every level is one more search of the body.
    """

    header_bytes: int = 256 * 1024
    fields: int = 2000
    parts: int = 1000
    depth: int = 20


class TooComplex(Exception):
    """The message is past a limit. ``reason`` is for its sender, who gets it behind ``554 5.6.0``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_DEFAULT_LIMITS: Final = ScanLimits()


class Scanner:
    """Feed it the message, close it, take the Scan. Offsets are absolute, from the message's first byte.

    ``text_bytes`` of decoded text are kept for the detectors (`Policy.text_bytes`).
    """

    def __init__(self, limits: ScanLimits = _DEFAULT_LIMITS, text_bytes: int = 0) -> None:
        self._limits = limits
        self._refused: str | None = None
        self._pending = bytearray()
        # The line end before the first line is imagined, so that every header block stands between two of them.
        self._window = Window(b"\r\n", -2, final=False)
        # Delimiters and header ends are looked for from ``_at``, the CR of the line end before; the body of the part is
        # counted up to ``_eaten``. The line end of an empty line may also begin the next delimiter, so they differ.
        self._at = -2
        self._eaten = 0
        self._in_header = True
        self._header_bytes = -1
        self._eight_bit = False
        self._delimiters = 0
        self._boundaries = Boundaries()
        self._parts = Parts(text_bytes)

    def feed(self, block: bytes) -> None:
        """Takes the next bytes of the message.

        Raises:
            TooComplex: a limit is passed, now or at an earlier call.
        """
        self._check_refused()
        self._pending += block
        while len(self._pending) >= _BLOCK:
            with memoryview(self._pending) as view:
                data = bytes(view[:_BLOCK])
            del self._pending[:_BLOCK]
            self._advance(data, final=False)

    def close(self) -> Scan:
        """Ends the message and gives what was found; called once.

        Raises:
            TooComplex: a limit is passed, now or at an earlier call.
        """
        self._check_refused()
        self._advance(bytes(self._pending), final=True)
        self._parts.end()
        fields = shortened(self._parts.fields)
        if fields != self._parts.fields:
            self._parts.defects[Defect.SUBJECT_LONG] = None
        return Scan(
            fields=fields,
            attachments=self._parts.attachments(),
            message_bytes=self._window.end,
            header_bytes=self._header_bytes,
            defects=tuple(self._parts.defects | self._boundaries.defects),
            eight_bit=self._eight_bit,
            parts=tuple(self._parts.parts),
            texts=self._parts.texts.found(),
        )

    def _advance(self, block: bytes, *, final: bool) -> None:
        self._eight_bit = self._eight_bit or not block.isascii()
        window = self._window
        self._window = Window(window.data[self._at - window.base :] + block, self._at, final)
        while self._step():
            pass

    def _step(self) -> bool:
        """Goes on to the next event in the window; False when it needs more bytes."""
        return self._header_step() if self._in_header else self._body_step(self._find(self._window.end))

    def _find(self, before: int) -> Delimiter | Unfinished | None:
        found = self._boundaries.find(self._window, self._at, before)
        if self._delimiters + self._boundaries.lookalikes > self._limits.parts:
            raise self._too_complex(f"The message has more than {self._limits.parts} parts")
        return found

    # A header block: from behind the CRLF at ``_at`` to an empty line, a delimiter, or the end.

    def _header_step(self) -> bool:
        window = self._window
        end = window.data.find(b"\r\n\r\n", self._at - window.base) + window.base
        # What stands behind the header is judged once it is known which multiparts are open there.
        found = self._find(end if end >= window.base else window.end)
        if end >= window.base and found is None:
            self._end_header(end + 2, body=end + 4)
            self._at = end + 2
            return True
        if isinstance(found, Delimiter):
            self._cut_header(found.start + 2, body=found.start)
            self._enter(found)
            return True
        if window.final:
            self._cut_header(window.end, body=window.end)
            self._at = window.end
            return True
        # An end that begins within the last three bytes is not seen yet.
        self._check_header_size(window.end - 3 - self._at)
        return False

    def _cut_header(self, end: int, *, body: int) -> None:
        """Ends a header block that has no empty line; one without any line is just a part without header."""
        if end > self._at + 2:
            self._parts.defects[Defect.NO_END] = None
        self._end_header(end, body=body)

    def _end_header(self, end: int, *, body: int) -> None:
        window, begin = self._window, self._at + 2
        self._check_header_size(end - begin)
        block = window.data[begin - window.base : max(end, begin) - window.base]
        lines = block.count(b"\n") - block.count(b"\n ") - block.count(b"\n\t")
        if lines > self._limits.fields:
            raise self._too_complex(f"A header of the message has more than {self._limits.fields} fields")
        if self._header_bytes < 0:
            self._header_bytes = body
        self._in_header = False
        self._eaten = body
        self._begin_part(block, end)

    def _begin_part(self, block: bytes, end: int) -> None:
        levels = self._boundaries.levels
        digest, attached = (levels[-1].digest, levels[-1].attached) if levels else (False, False)
        default = "message/rfc822" if digest else "text/plain"
        part = self._parts.begin(block, default_type=default, inside_attached=attached)
        if part.is_multipart:
            if len(levels) >= self._limits.depth:
                raise self._too_complex(f"The parts of the message are nested more than {self._limits.depth} deep")
            digest = part.type == "multipart/digest"
            self._boundaries.push(part.boundary, digest=digest, attached=part.attached, start=end)

    def _check_header_size(self, size: int) -> None:
        limit = self._limits.header_bytes
        if size > limit:
            raise self._too_complex(f"A header of the message is larger than {limit // 1024} KiB")

    # The body of a part, a preamble or an epilogue: up to a delimiter of any open multipart, or the end.

    def _body_step(self, found: Delimiter | Unfinished | None) -> bool:
        window = self._window
        if found is None:
            stop = window.end if window.final else window.end - self._boundaries.reach
        else:
            stop = found.start
        if stop > self._eaten:
            self._parts.feed(window.data[self._eaten - window.base : stop - window.base])
            self._at = self._eaten = stop
        if isinstance(found, Delimiter):
            self._enter(found)
            return True
        return False

    def _enter(self, found: Delimiter) -> None:
        """Leaves the part before the delimiter, and begins the next one unless it closes the multipart."""
        self._parts.end()
        self._boundaries.enter(found)
        self._delimiters += 1
        self._in_header = not found.closing
        self._at = self._eaten = found.end

    def _check_refused(self) -> None:
        if self._refused is not None:
            raise TooComplex(self._refused)

    def _too_complex(self, reason: str) -> TooComplex:
        self._refused = reason
        self._pending.clear()
        return TooComplex(reason)
