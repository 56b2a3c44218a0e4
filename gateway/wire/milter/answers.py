"""What a milter says to its MTA (SMFIR_*): one verdict on each command, and changes at the end of a message.

Left out on purpose: changes of recipients, of the reverse-path, of the body and of fields that are there. An MTA that
loses its filter in the midst of them may send on what it has (Postfix, HISTORY 20260821).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from gateway.wire.errors import LocalProtocolError
from gateway.wire.milter.negotiation import Action
from gateway.wire.milter.packets import packet

MAX_REASON: Final = 100
"""Characters of a quarantine's reason; Postfix keeps no more."""

_NAME: Final = re.compile(rb"[!-9;-~]+")
# Any text, tabs, and folds: a bare LF where white space follows.
_VALUE: Final = re.compile(rb"(?:[^\x00-\x08\x0a-\x1f\x7f]|\n(?=[\t ]))*")
_REASON: Final = re.compile(r"[ -~]+")


class Verdict(StrEnum):
    """What becomes of the command, the recipient or the message; a reply in words of ours is `reply_code`.

    ``ACCEPT`` and ``DISCARD`` end the message for the filter whenever they are said; said on CONNECT or HELO, the MTA
    shows nothing more of that client. ``SKIP`` spares it the rest of the body.
    """

    CONTINUE = "c"
    ACCEPT = "a"
    REJECT = "r"
    TEMPFAIL = "t"
    DISCARD = "d"
    SKIP = "s"


PROGRESS: Final = packet("p")
"""Starts the MTA's time for our answer anew."""


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Puts a field below the others; ``value`` as in `events.Header`: with its own leading space."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Puts a field in place ``index`` of the message as it leaves; 0 is on top."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Keeps the message in the MTA's own hold; a verdict still has to follow."""

    reason: str


Change: TypeAlias = AddHeader | InsertHeader | Quarantine


def action_of(change: Change) -> Action:
    """What has to be agreed on for a change."""
    return Action.QUARANTINE if isinstance(change, Quarantine) else Action.ADDHDRS


def change_packet(change: Change, *, leading_space: bool) -> bytes:
    """The packet of one change; ``leading_space`` says whether HDR_LEADSPC was agreed on.

    Raises:
        LocalProtocolError: a field that is none, a reason that is not one short line.
    """
    match change:
        case AddHeader(name, value):
            return packet("h", _field(name, value, leading_space))
        case InsertHeader(index, name, value):
            if not 0 <= index < 2**31:
                raise LocalProtocolError("a header field has no such place")
            return packet("i", index.to_bytes(4) + _field(name, value, leading_space))
        case Quarantine(reason):
            if len(reason) > MAX_REASON or not _REASON.fullmatch(reason):
                raise LocalProtocolError("the reason of a quarantine is one short line of ASCII")
            return packet("q", reason.encode("ascii") + b"\0")
        case _:
            assert_never(change)


def _field(name: bytes, value: bytes, leading_space: bool) -> bytes:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise LocalProtocolError("not a header field that a milter can add")
    return name + b"\0" + (value if leading_space else value.removeprefix(b" ")) + b"\0"
