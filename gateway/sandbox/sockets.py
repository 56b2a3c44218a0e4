"""Sockets on loopback: a wanted port or a free one, and a clear word if it is taken."""

import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_ATTEMPTS: Final = 20
"""A free port of one address may be taken on another; so many are tried."""


class PortTaken(Exception):
    """Something else listens there already; the text is one sentence."""

    def __init__(self, what: str, address: str, port: int) -> None:
        super().__init__(f"port {port} on {address}, wanted for {what}, is already in use")
        self.what = what


@dataclass(frozen=True, slots=True)
class Place:
    """A socket to bind: its kind (``socket.SOCK_STREAM`` or ``SOCK_DGRAM``) and its IPv4 address."""

    kind: socket.SocketKind
    address: str


def bind(what: str, place: Place, port: int) -> socket.socket:
    """A bound socket, 0 for any free port; streams listen. Raises PortTaken, OSError."""
    sock = socket.socket(socket.AF_INET, place.kind)
    try:
        if place.kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((place.address, port))
        if place.kind is socket.SOCK_STREAM:
            sock.listen(128)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(what, place.address, port) from error
        raise
    return sock


def bind_all(what: str, places: Iterable[Place], port: int) -> tuple[socket.socket, ...]:
    """One socket per place, all with the same port number, 0 for any that is free on all. Raises PortTaken, OSError."""
    wanted = tuple(places)
    for _ in range(_ATTEMPTS if port == 0 else 0):
        with suppress(PortTaken):
            return _bind_each(what, wanted, port)
    return _bind_each(what, wanted, port)


def _bind_each(what: str, places: tuple[Place, ...], port: int) -> tuple[socket.socket, ...]:
    with ExitStack() as cleanup:
        sockets: list[socket.socket] = []
        for place in places:
            sock = bind(what, place, port)
            cleanup.callback(sock.close)
            sockets.append(sock)
            port = port_of(sock)
        cleanup.pop_all()
    return tuple(sockets)


def port_of(sock: socket.socket) -> int:
    """The port number that a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


def reserve(*wanted: tuple[str, int]) -> tuple[int, ...]:
    """Each port itself, or a free one for 0, once it is known that another process can bind them. Raises PortTaken."""
    with ExitStack() as stack:
        place = Place(socket.SOCK_STREAM, LOOPBACK)
        return tuple(port_of(stack.enter_context(bind(what, place, port))) for what, port in wanted)
