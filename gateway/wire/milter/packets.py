"""Milter packets (libmilter's mfdef.h): a length, a command letter and a payload, from bytes in any split.

What the MTA announces is compared with the command's limit before anything of it is waited for. Left out on purpose:
the 256 KiB and 1 MiB packets that Sendmail can be told to offer (SMFIP_MDS_256K, SMFIP_MDS_1M); nothing needs them.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.wire.errors import LocalProtocolError, RemoteProtocolError

MAX_DATA: Final = 65_535
"""Bytes of a payload, either way (MILTER_CHUNK_SIZE): MTAs cut bodies so, and Sendmail reads no more of ours."""

MAX_HEADER: Final = 1024 * 1024
"""Bytes of one header field, which is never cut; Postfix's header_size_limit is 102,400 unless somebody raised it."""

_LENGTH: Final = 4


class Command(StrEnum):
    """What an MTA can send (SMFIC_*)."""

    NEGOTIATE = "O"
    MACROS = "D"
    CONNECT = "C"
    HELO = "H"
    MAIL = "M"
    RCPT = "R"
    DATA = "T"
    UNKNOWN = "U"
    HEADER = "L"
    END_OF_HEADERS = "N"
    BODY = "B"
    END_OF_MESSAGE = "E"
    ABORT = "A"
    QUIT = "Q"
    QUIT_NEW_CONNECTION = "K"


COMMANDS: Final[Mapping[int, Command]] = MappingProxyType({ord(command): command for command in Command})
"""By the byte that stands for them: a message comes in some thirty packets."""

MAX_PAYLOAD: Final[Mapping[Command, int]] = MappingProxyType(
    {
        # Twelve bytes are read; an MTA of a later version may say more.
        Command.NEGOTIATE: 256,
        Command.MACROS: MAX_DATA,
        # A host name (255) and the path of a socket (108).
        Command.CONNECT: 1024,
        Command.HELO: MAX_DATA,
        Command.MAIL: MAX_DATA,
        Command.RCPT: MAX_DATA,
        Command.DATA: 0,
        Command.UNKNOWN: MAX_DATA,
        Command.HEADER: MAX_HEADER,
        Command.END_OF_HEADERS: 0,
        Command.BODY: MAX_DATA,
        Command.END_OF_MESSAGE: MAX_DATA,
        Command.ABORT: 0,
        Command.QUIT: 0,
        Command.QUIT_NEW_CONNECTION: 0,
    }
)


class Packet(NamedTuple):
    """One whole packet; its payload is not looked at here."""

    command: Command
    payload: bytes


class PacketReader:
    """Collects bytes and gives out whole packets in their order; at most the longest of them waits for its end."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes what arrived; to be called only when there is no whole packet left."""
        self._buffer += data

    def next(self) -> Packet | None:
        """The next whole packet, None while its end has not come.

        Raises:
            RemoteProtocolError: no such command, or a length it cannot have. The reader is of no use afterwards.
        """
        if len(self._buffer) < _LENGTH:
            return None
        size = int.from_bytes(self._buffer[:_LENGTH])
        if not 1 <= size <= 1 + MAX_HEADER:
            raise RemoteProtocolError("the MTA announced a milter packet of an impossible length")
        if len(self._buffer) == _LENGTH:
            return None
        command = COMMANDS.get(self._buffer[_LENGTH])
        if command is None:
            raise RemoteProtocolError("the MTA sent a milter command that does not exist")
        if size > 1 + MAX_PAYLOAD[command]:
            raise RemoteProtocolError(f"the MTA announced a milter packet that is too long for {command.name}")
        return self._take(command, _LENGTH + size)

    def _take(self, command: Command, end: int) -> Packet | None:
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_LENGTH + 1 : end])
        del self._buffer[:end]
        return Packet(command, payload)


def packet(letter: str, payload: bytes = b"") -> bytes:
    """One packet of ours. Raises LocalProtocolError if it is longer than Sendmail reads."""
    if len(payload) > MAX_DATA:
        raise LocalProtocolError("a milter packet is longer than an MTA reads")
    return (1 + len(payload)).to_bytes(_LENGTH) + letter.encode() + payload
