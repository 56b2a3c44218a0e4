"""Header edits at delivery (RFC 5322 section 2.2): fields put on top, fields removed, all other bytes untouched.

Nothing is parsed, decoded or refolded beyond finding where a field ends; the body is not seen here.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from gateway.core.record import Add, HeaderEdit
from gateway.wire.errors import LocalProtocolError

# field-name = 1*ftext, ftext = %d33-57 / %d59-126 (RFC 5322 section 3.6.8).
_NAME = re.compile(r"[!-9;-~]+")
# Printable text and tabs, and folds: a CRLF only where space or tab follows.
_VALUE = re.compile(r"(?:[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]|\r\n(?=[\t ]))*")


def render(header: bytes, edits: Sequence[HeaderEdit]) -> bytes:
    """The header block, final empty line included, after the edits in their order.

    Each `Add` puts its field on top of what is there, so the last one stands topmost, as trace fields must (RFC 5321
    section 4.4). A `Remove` sees the fields that an earlier `Add` put there. A block without its final empty line gets
    one.

    Raises:
        LocalProtocolError: a field to add is not a header field.
    """
    block = _without_empty_line(header)
    for edit in edits:
        block = _field(edit) + block if isinstance(edit, Add) else _fields_named(edit.name).sub(b"", block)
    return block + b"\r\n"


def _without_empty_line(header: bytes) -> bytes:
    if header.endswith(b"\r\n\r\n") or header == b"\r\n":
        return header[:-2]
    return header if header.endswith(b"\r\n") or not header else header + b"\r\n"


def _field(edit: Add) -> bytes:
    if not (_NAME.fullmatch(edit.name) and _VALUE.fullmatch(edit.value)):
        raise LocalProtocolError("a header field to add has a bad name or a control character")
    return f"{edit.name}: {edit.value}\r\n".encode()


@lru_cache(maxsize=256)
def _fields_named(name: str) -> re.Pattern[bytes]:
    # Space before the colon is obsolete syntax (RFC 5322 section 4.5.8) that other readers still take for the field.
    return re.compile(rb"^%s[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*" % re.escape(name.encode()), re.IGNORECASE | re.MULTILINE)
