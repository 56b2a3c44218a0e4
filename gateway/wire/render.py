"""Header edits at delivery (RFC 5322 section 2.2): fields put on top or removed, the Subject changed, no byte besides.

Nothing is parsed beyond finding where a field ends; only a Subject that changes is folded anew. The body is not seen
here.
"""

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from gateway.core.edits import Add, HeaderEdit, Remove, Retitle
from gateway.core.subject import retitle
from gateway.wire.errors import LocalProtocolError

# field-name = 1*ftext, ftext = %d33-57 / %d59-126 (RFC 5322 section 3.6.8).
_NAME = re.compile(r"[!-9;-~]+")
# Printable text and tabs, and folds: a CRLF only where space or tab follows.
_VALUE = re.compile(r"(?:[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]|\r\n(?=[\t ]))*")
# A field as the door reads it: from the first line, or one that is no continuation, with the folds of name and value.
# Nothing is tried twice, so that one pass stays one pass whatever the lines are.
_FIELD: Final = re.compile(
    rb"(?:\A|^(?![ \t]))([^:\n]*+(?:\n[ \t][^:\n]*+)*+):([^\n]*+\n(?:[ \t][^\n]*+\n)*+)", re.MULTILINE
)
_SUBJECT: Final = "subject"
_CHUNK: Final = re.compile(rb"[ \t]*+[^ \t]++")
# A line should stay below this many characters (RFC 5322 section 2.1.1).
_LINE: Final = 78


def render(header: bytes, edits: Sequence[HeaderEdit]) -> bytes:
    """The header block, final empty line included, after the edits in their order.

    Each `Add` puts its field on top of what is there, so the last one stands topmost, as trace fields must (RFC 5321
    section 4.4). A `Remove` sees the fields that an earlier `Add` put there. A block without its final empty line gets
    one. Removals that follow each other are one pass over the block, however many they are.

    Raises:
        LocalProtocolError: a field to add is not a header field, or a tag is more than one line of text.
    """
    block = _without_empty_line(header)
    for kind, run in groupby(edits, type):
        if kind is Remove:
            block = _without(frozenset(edit.name.casefold() for edit in run if isinstance(edit, Remove)), block)
        elif kind is Add:
            block = b"".join([_field(edit) for edit in run if isinstance(edit, Add)][::-1]) + block
        else:
            for edit in run:
                block = _retitled(edit, block) if isinstance(edit, Retitle) else block
    return block + b"\r\n"


def rewrite(header: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The header block with every field's value as ``change`` makes it of the casefolded name and the value.

    Values are given and taken with their folds and their line end.
    """
    return _FIELD.sub(lambda field: field[1] + b":" + change(_name(field[1]), field[2]), header)


def _without_empty_line(header: bytes) -> bytes:
    if header.endswith(b"\r\n\r\n") or header == b"\r\n":
        return header[:-2]
    return header if header.endswith(b"\r\n") or not header else header + b"\r\n"


def _field(edit: Add) -> bytes:
    if not (_NAME.fullmatch(edit.name) and _VALUE.fullmatch(edit.value)):
        raise LocalProtocolError("a header field to add has a bad name or a control character")
    return f"{edit.name}: {edit.value}\r\n".encode()


def _without(names: frozenset[str], block: bytes) -> bytes:
    return _FIELD.sub(lambda field: b"" if _name(field[1]) in names else field[0], block)


def _retitled(edit: Retitle, block: bytes) -> bytes:
    """The block with every Subject changed; one that does not change stays as it is written."""
    if not edit.tag.isprintable():
        raise LocalProtocolError("a tag for the subject has a control character")
    fields = [field for field in _FIELD.finditer(block) if _name(field[1]) == _SUBJECT]
    if not fields:
        titled = retitle(b"", edit)
        return block if titled is None else _folded(b"Subject:", titled) + block
    start, kept = 0, list[bytes]()
    for field in fields:
        titled = retitle(_unfolded(field[2]), edit)
        kept += [block[start : field.start()], field[0] if titled is None else _folded(field[1] + b":", titled)]
        start = field.end()
    return b"".join([*kept, block[start:]])


def _unfolded(raw: bytes) -> bytes:
    """The value as `core.header` reads it (RFC 5322 section 2.2.3)."""
    return raw.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").strip()


def _folded(name: bytes, value: bytes) -> bytes:
    """The field, folded before white space where a line would get long, but never into a line of white space alone."""
    lines, line = list[bytes](), name
    for chunk in _CHUNK.findall(b" " + value):
        if line != name and len(line) + len(chunk) > _LINE:
            lines.append(line)
            line = b""
        line += chunk
    return b"\r\n".join([*lines, line]) + b"\r\n"


def _name(raw: bytes) -> str:
    """The name as `core.header` reads it: white space before the colon, or a fold, must not hide a field from us."""
    return raw.replace(b"\r\n", b"").strip().decode("latin-1").casefold()
