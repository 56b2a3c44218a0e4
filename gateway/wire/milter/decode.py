"""The payloads of an MTA's packets, read into events (layouts: Sendmail's libmilter, engine.c).

String = *OCTET NUL, numbers are big-endian. Whatever does not fit its layout to the last byte is refused.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final

from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.events import (
    Abort,
    Body,
    ClientAddress,
    Connect,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    MailFrom,
    Quit,
    QuitNewConnection,
    Recipient,
    SocketPath,
    Unknown,
)
from gateway.wire.milter.negotiation import Action, Offer, Step
from gateway.wire.milter.packets import COMMANDS, Command, Packet

_IPV6_PREFIX: Final = "ipv6:"
_NAME: Final = re.compile(rb"[^\r\n:\t ][^\r\n:]*")
_NO_VALUES: Final[Mapping[str, bytes]] = MappingProxyType({})
"""Before each header field and block of the body an MTA says that it has nothing to say."""
_NO_FOLD: Final = re.compile(rb"\n(?![\t ])")


def decode(packet: Packet) -> Event:
    """The event that a packet tells. Raises RemoteProtocolError."""
    return _READ[packet.command](packet.payload)


def _offer(payload: bytes) -> Offer:
    """Version, actions, steps; more is of a later version."""
    if len(payload) < 12:
        raise _malformed(Command.NEGOTIATE)
    version, actions, steps = (int.from_bytes(payload[at : at + 4]) for at in (0, 4, 8))
    return Offer(version, Action(actions), Step(steps))


def _macros(payload: bytes) -> Macros:
    """Command letter, then (name value)*."""
    command = COMMANDS.get(payload[0]) if payload else None
    if command is None:
        raise _malformed(Command.MACROS)
    if len(payload) == 1:
        return Macros(command, _NO_VALUES)
    texts = _strings(Command.MACROS, payload[1:])
    if len(texts) % 2:
        raise _malformed(Command.MACROS)
    names = [name.decode("latin-1").removeprefix("{").removesuffix("}") for name in texts[::2]]
    return Macros(command, MappingProxyType(dict(zip(names, texts[1::2], strict=True))))


def _connect(payload: bytes) -> Connect:
    """Host, family letter, and unless that is U: port (two bytes) and address."""
    host, _, rest = payload.partition(b"\0")
    if rest == b"U":
        return Connect(host, None, 0)
    text = _strings(Command.CONNECT, rest[3:])
    if len(text) != 1:
        raise _malformed(Command.CONNECT)
    return Connect(host, _address(rest[:1], text[0]), int.from_bytes(rest[1:3]))


def _address(family: bytes, text: bytes) -> ClientAddress:
    try:
        match family:
            case b"4":
                return IPv4Address(text.decode("ascii"))
            case b"6":
                return _ipv6(text.decode("ascii"))
            case b"L":
                return SocketPath(text)
            case _:
                raise _malformed(Command.CONNECT)
    except (AddressValueError, UnicodeDecodeError):
        raise _malformed(Command.CONNECT) from None


def _ipv6(text: str) -> IPv6Address:
    """Some MTAs write the prefix of an address literal (RFC 5321 section 4.1.3) here too."""
    return IPv6Address(text[len(_IPV6_PREFIX) :] if text.lower().startswith(_IPV6_PREFIX) else text)


def _helo(payload: bytes) -> Helo:
    return Helo(_one(Command.HELO, payload))


def _mail(payload: bytes) -> MailFrom:
    return MailFrom(*_path(Command.MAIL, payload))


def _rcpt(payload: bytes) -> Recipient:
    return Recipient(*_path(Command.RCPT, payload))


def _unknown(payload: bytes) -> Unknown:
    return Unknown(_one(Command.UNKNOWN, payload))


def _header(payload: bytes) -> Header:
    """Name and value; neither may end its field, nor the name go on with the field above it.

    What stands behind would else be read as another field or as the body, or this one as a fold.
    """
    texts = _strings(Command.HEADER, payload)
    if len(texts) != 2 or not _NAME.fullmatch(texts[0]) or _NO_FOLD.search(texts[1]):
        raise _malformed(Command.HEADER)
    return Header(*texts)


_READ: Final[Mapping[Command, Callable[[bytes], Event]]] = MappingProxyType(
    {
        Command.NEGOTIATE: _offer,
        Command.MACROS: _macros,
        Command.CONNECT: _connect,
        Command.HELO: _helo,
        Command.MAIL: _mail,
        Command.RCPT: _rcpt,
        Command.DATA: lambda _: Data(),
        Command.UNKNOWN: _unknown,
        Command.HEADER: _header,
        Command.END_OF_HEADERS: lambda _: EndOfHeaders(),
        Command.BODY: Body,
        Command.END_OF_MESSAGE: EndOfMessage,
        Command.ABORT: lambda _: Abort(),
        Command.QUIT: lambda _: Quit(),
        Command.QUIT_NEW_CONNECTION: lambda _: QuitNewConnection(),
    }
)


def _strings(command: Command, payload: bytes) -> list[bytes]:
    """The strings that the payload is made of; it ends with the end of the last one."""
    *texts, rest = payload.split(b"\0")
    if rest:
        raise _malformed(command)
    return texts


def _one(command: Command, payload: bytes) -> bytes:
    texts = _strings(command, payload)
    if len(texts) != 1:
        raise _malformed(command)
    return texts[0]


def _path(command: Command, payload: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    texts = _strings(command, payload)
    if not texts:
        raise _malformed(command)
    return texts[0], tuple(texts[1:])


def _malformed(command: Command) -> RemoteProtocolError:
    return RemoteProtocolError(f"the MTA sent a malformed milter packet: {command.name}")
