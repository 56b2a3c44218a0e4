"""The MTA's side of milter packets, written from the protocol's tables and not from our codec."""

import struct
from collections.abc import Mapping, Sequence

CHUNK = 65_535
"""Bytes of a body that an MTA sends at once."""

POSTFIX_OFFER = (6, 0x1FF, 0x1FFFFF)
"""Version, actions and steps as Postfix 3.7 offers them."""


def packet(letter: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + letter + payload


def strings(*texts: bytes) -> bytes:
    return b"".join(text + b"\0" for text in texts)


def offer(version: int = 6, actions: int = 0x1FF, steps: int = 0x1FFFFF) -> bytes:
    return packet(b"O", struct.pack("!III", version, actions, steps))


def macros(command: bytes, values: Mapping[bytes, bytes]) -> bytes:
    return packet(b"D", command + b"".join(strings(name, value) for name, value in values.items()))


def connect(host: bytes, family: bytes = b"U", port: int = 0, address: bytes = b"") -> bytes:
    where = b"" if family == b"U" else struct.pack("!H", port) + strings(address)
    return packet(b"C", strings(host) + family + where)


def helo(name: bytes) -> bytes:
    return packet(b"H", strings(name))


def mail(path: bytes, *parameters: bytes) -> bytes:
    return packet(b"M", strings(path, *parameters))


def rcpt(path: bytes, *parameters: bytes) -> bytes:
    return packet(b"R", strings(path, *parameters))


DATA = packet(b"T")


def unknown(line: bytes) -> bytes:
    return packet(b"U", strings(line))


def header(name: bytes, value: bytes) -> bytes:
    return packet(b"L", strings(name, value))


END_OF_HEADERS = packet(b"N")


def body(data: bytes) -> Sequence[bytes]:
    """The packets of a whole body."""
    return [packet(b"B", data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]


def end_of_message(chunk: bytes = b"") -> bytes:
    return packet(b"E", chunk)


ABORT = packet(b"A")
QUIT = packet(b"Q")
QUIT_NEW_CONNECTION = packet(b"K")
