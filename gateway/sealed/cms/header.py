"""The header of a message that is to be sealed, in two: what stands outside, and what goes inside with the body.

Without a neutral subject only the fields of the content go inside (RFC 8551 section 3.1). With one, all that the sender
wrote does, and the outside repeats what carries the mail (RFC 9788 sections 2 and 4). Signatures that mail systems put
over the message (DKIM, ARC) end here, because they are over another body. Left out on purpose: reading any value.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.core.mail_names import field_text

# A field with its folds, or what else is there up to the next line that is no continuation.
_FIELD: Final = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*")
_SIGNED: Final = frozenset({"dkim-signature", "arc-seal", "arc-message-signature", "arc-authentication-results"})
_TRACE: Final = frozenset({"received", "return-path", "authentication-results", "auto-submitted", "precedence"})
_CARRYING: Final = frozenset(
    {"from", "sender", "to", "cc", "reply-to", "date", "message-id", "in-reply-to", "references"}
)
_CONTENT: Final = "content-"
_TYPE: Final = "content-type"
_EMPTY_LINE: Final = b"\r\n"
_MARK: Final = b';\r\n\thp="cipher"; protected-headers="v1"'
"""RFC 9788 section 2.1, and what programs before it look for."""

_Fields: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Halves:
    """``outer`` are fields, to which those of the sealed content are added; ``inner`` ends with the empty line."""

    outer: bytes
    inner: bytes


def halves(header: bytes, subject: str | None) -> Halves:
    """``header`` is a header block with its empty line; ``subject`` is the neutral one, if there is to be one."""
    named = [(_name(raw), raw) for raw in _FIELD.findall(header) if raw != _EMPTY_LINE]
    fields = [(name, raw) for name, raw in named if name not in _SIGNED and name != "mime-version"]
    return _plain(fields) if subject is None else _hidden(fields, f"Subject: {field_text(subject)}\r\n".encode())


def _plain(fields: _Fields) -> Halves:
    outer = [raw for name, raw in fields if not name.startswith(_CONTENT)]
    inner = [raw for name, raw in fields if name.startswith(_CONTENT)]
    return Halves(b"".join(outer), b"".join(inner) + _EMPTY_LINE)


def _hidden(fields: _Fields, subject: bytes) -> Halves:
    shown = [*(raw for name, raw in fields if name in _CARRYING), subject]
    trace = [raw for name, raw in fields if name in _TRACE]
    inner = [_marked(raw) if name == _TYPE else raw for name, raw in fields if name not in _TRACE]
    if all(name != _TYPE for name, _ in fields):
        # What a message without the field is (RFC 2045 section 5.2).
        inner.append(_marked(b"Content-Type: text/plain; charset=us-ascii\r\n"))
    inner += [b"HP-Outer: " + raw for raw in shown]
    return Halves(b"".join([*trace, *shown]), b"".join(inner) + _EMPTY_LINE)


def _marked(raw: bytes) -> bytes:
    """The mark stands behind the type, because parameters that are broken would swallow it."""
    kind, semicolon, parameters = raw.partition(b";")
    return kind.rstrip() + _MARK + (semicolon + parameters if semicolon else _EMPTY_LINE)


def _name(raw: bytes) -> str:
    """As `wire.render` reads it: white space before the colon, or a fold, must not hide a field from us."""
    return raw.partition(b":")[0].replace(b"\r\n", b"").strip().decode("latin-1").casefold()
