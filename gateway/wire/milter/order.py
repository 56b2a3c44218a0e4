"""The order of a milter conversation, as a table: which command may come in which phase, and what phase follows.

After the table of libmilter's engine.c, with what MTAs do beyond it: an MTA may refuse by itself what every filter let
pass, so HELO and MAIL may come in the midst of an envelope, and RCPT or DATA again behind DATA.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from gateway.core.reply import Reply
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.answers import Verdict
from gateway.wire.milter.packets import Command


class Phase(Enum):
    """Where a conversation is; READY is between messages, after the client's CONNECT."""

    NEW = auto()
    AGREED = auto()
    READY = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    HEADER = auto()
    BODY = auto()
    CLOSED = auto()


# Between DATA and its end nothing can come but content, the end of the message or of the connection.
_FOLLOWS: Final[Mapping[tuple[Phase, Command], Phase]] = MappingProxyType(
    {
        (Phase.NEW, Command.NEGOTIATE): Phase.AGREED,
        (Phase.NEW, Command.QUIT): Phase.CLOSED,
        (Phase.AGREED, Command.MACROS): Phase.AGREED,
        (Phase.AGREED, Command.CONNECT): Phase.READY,
        (Phase.AGREED, Command.ABORT): Phase.AGREED,
        (Phase.AGREED, Command.QUIT): Phase.CLOSED,
        (Phase.AGREED, Command.QUIT_NEW_CONNECTION): Phase.AGREED,
    }
    | {
        (phase, command): follows
        for phase in (Phase.READY, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.HEADER, Phase.BODY)
        for command, follows in {
            Command.MACROS: phase,
            Command.ABORT: Phase.READY,
            Command.QUIT: Phase.CLOSED,
            Command.QUIT_NEW_CONNECTION: Phase.AGREED,
        }.items()
    }
    | {
        (phase, command): follows
        for phase in (Phase.READY, Phase.MAIL, Phase.RCPT, Phase.DATA)
        for command, follows in {
            Command.HELO: Phase.READY,
            Command.MAIL: Phase.MAIL,
            Command.UNKNOWN: phase,
        }.items()
    }
    | {
        (Phase.MAIL, Command.RCPT): Phase.RCPT,
        (Phase.RCPT, Command.RCPT): Phase.RCPT,
        (Phase.RCPT, Command.DATA): Phase.DATA,
        (Phase.DATA, Command.RCPT): Phase.RCPT,
        (Phase.DATA, Command.DATA): Phase.DATA,
        (Phase.DATA, Command.HEADER): Phase.HEADER,
        (Phase.DATA, Command.END_OF_HEADERS): Phase.BODY,
        (Phase.HEADER, Command.HEADER): Phase.HEADER,
        (Phase.HEADER, Command.END_OF_HEADERS): Phase.BODY,
        (Phase.BODY, Command.BODY): Phase.BODY,
        (Phase.BODY, Command.END_OF_MESSAGE): Phase.READY,
    }
)


def following(phase: Phase, command: Command) -> Phase:
    """The phase behind a command. Raises RemoteProtocolError if it may not come."""
    try:
        return _FOLLOWS[phase, command]
    except KeyError:
        raise RemoteProtocolError(f"the MTA sent {command.name} where it does not belong") from None


_ENDS: Final = (Verdict.ACCEPT, Verdict.DISCARD)
_GOES_ON: Final = (Verdict.CONTINUE, Verdict.SKIP)


def ends_message(command: Command, verdict: Verdict | Reply) -> bool:
    """Whether the MTA shows no more of the message after that verdict.

    A refused RCPT is that recipient's alone, and after a refused DATA the client may name more recipients.
    """
    match command:
        case Command.RCPT | Command.DATA:
            return verdict in _ENDS
        case Command.MAIL | Command.HEADER | Command.END_OF_HEADERS | Command.BODY:
            return verdict not in _GOES_ON
        case _:
            return False
