"""What an MTA tells a milter, one frozen value for each command (the SMFIC_* of libmilter's mfdef.h).

What a client of the MTA said, or what stands in its message, stays bytes: whoever uses it knows how to read it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NewType, TypeAlias

from gateway.wire.milter.negotiation import Offer
from gateway.wire.milter.packets import Command

# Folds come as a bare LF.
_FOLD: Final = re.compile(rb"\r?\n")

SocketPath = NewType("SocketPath", bytes)
"""The client's address if it came by a local socket."""

ClientAddress: TypeAlias = IPv4Address | IPv6Address | SocketPath | None
"""None where the MTA does not know it, as for mail that was not handed over by SMTP."""


@dataclass(frozen=True, slots=True)
class Connect:
    """A client came; ``host`` is what its address is called, or the address in brackets. ``port`` 0 is unknown."""

    host: bytes
    address: ClientAddress
    port: int


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO or EHLO. It ends the message under way, and comes once more inside TLS."""

    name: bytes


@dataclass(frozen=True, slots=True)
class MailFrom:
    """MAIL: the path as it was written, and its parameters. It begins a message.

    By SMTP the path has its angle brackets; Postfix leaves them out for what came by its sendmail command.
    """

    path: bytes
    parameters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """RCPT: the path exactly as it was written, with brackets or without as in `MailFrom`, and its parameters."""

    path: bytes
    parameters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """DATA, or the first BDAT."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that the MTA does not know."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header field; ``value`` is all that stands behind the colon, its white space too, without the line's end."""

    name: bytes
    value: bytes

    def line(self) -> bytes:
        """The field as it stands in the message: exact if HDR_LEADSPC was agreed on, but for space before the colon."""
        return self.name + b":" + _FOLD.sub(b"\r\n", self.value) + b"\r\n"


@dataclass(frozen=True, slots=True)
class EndOfHeaders:
    """The empty line behind the header."""


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of the body; the MTA cuts where it likes, inside a line or between CR and LF too."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The end of the message, with the last piece of its body; Postfix sends that piece by itself."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class Abort:
    """Ends the message under way, if there is one. Postfix says it behind every message too, up to two times."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The MTA closes the connection."""


@dataclass(frozen=True, slots=True)
class QuitNewConnection:
    """The client left; what follows on this connection is another one's, under the same agreement."""


@dataclass(frozen=True, slots=True)
class Macros:
    """Values that belong to the command that follows; names without braces."""

    command: Command
    values: Mapping[str, bytes]


Event: TypeAlias = (
    Offer
    | Connect
    | Helo
    | MailFrom
    | Recipient
    | Data
    | Unknown
    | Header
    | EndOfHeaders
    | Body
    | EndOfMessage
    | Abort
    | Quit
    | QuitNewConnection
    | Macros
)
