"""A header block read into fields (RFC 5322 section 2.2), with what two readers could read differently.

It is given whole, unstuffed, without the empty line that ends it. Every line that could be a field becomes one, also
a defective one, so that labels in it are recorded and control fields removed. Values are not decoded here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.core.defect import Defect, repeated
from gateway.core.facts import Field

# Fields by which a client or the gateway itself steers; foreign ones are removed before the message leaves.
CONTROL_PREFIX: Final = "x-sealpost-"

# Fields of which readers take the first, the last or all, and on which a level, a file or the sender's name hangs.
_SINGLE: Final = MappingProxyType(
    {
        name.casefold(): name
        for name in (
            "From",
            "Sender",
            "Subject",
            "Sensitivity",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Content-Disposition",
            "Content-ID",
        )
    }
)

# field-name = 1*ftext, printable ASCII without colon (RFC 5322 section 3.6.8).
_NAME: Final = bytes(byte for byte in range(33, 127) if byte != ord(":"))
_BLANK_CONTINUATION = re.compile(rb"\r\n[ \t]+\r\n")
_CONTROLS: Final = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\r\n")


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """The fields in order, and the defects, each once."""

    fields: tuple[Field, ...]
    defects: tuple[str, ...]


def is_control(name: str) -> bool:
    """Whether a field of this name steers the gateway (``X-Sealpost-…``); names compare without case."""
    return name.casefold().startswith(CONTROL_PREFIX)


def read_header(block: bytes) -> HeaderBlock:
    """Reads lines that end in CRLF; the last line end may be missing."""
    if not block:
        return HeaderBlock((), ())
    # Unfolding removes the line end and keeps the white space behind it (RFC 5322 section 2.2.3).
    unfolded = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    lines = [line.partition(b":") for line in unfolded.removesuffix(b"\r\n").split(b"\r\n")]
    fields = tuple(Field(name.strip().decode("latin-1"), value.strip()) for name, colon, value in lines if colon)
    defects = [*_block_defects(block), *_repeated(fields)]
    if b"".join([name for name, _, _ in lines]).translate(None, _NAME) or not all(n and colon for n, colon, _ in lines):
        defects += [defect for name, colon, _ in lines if (defect := _line_defect(name, colon))]
    return HeaderBlock(fields, tuple(dict.fromkeys(defects)))


def _repeated(fields: tuple[Field, ...]) -> Iterator[str]:
    single = [key for field in fields if (key := field.name.casefold()) in _SINGLE]
    if len(set(single)) != len(single):
        yield from (repeated(_SINGLE[key]) for key, count in Counter(single).items() if count > 1)


def _block_defects(block: bytes) -> Iterator[Defect]:
    ends = block.count(b"\r\n")
    if block.count(b"\r") != ends or block.count(b"\n") != ends:
        yield Defect.BARE_LINE_END
    if len(block.translate(None, _CONTROLS)) != len(block):
        yield Defect.CONTROL
    if block.startswith((b" ", b"\t")):
        yield Defect.LEADING_CONTINUATION
    if _BLANK_CONTINUATION.search(block):
        yield Defect.BLANK_CONTINUATION


def _line_defect(name: bytes, colon: bytes) -> Defect | None:
    if not colon:
        return Defect.NO_COLON
    if name and not name.translate(None, _NAME):
        return None
    return Defect.NAME_SPACE if not name.rstrip(b" \t").translate(None, _NAME) and name.strip() else Defect.NAME
