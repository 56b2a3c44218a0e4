"""The listening sockets, opened once by the supervisor and held for life.

Each worker slot has its own socket on the same address (SO_REUSEPORT): the kernel spreads connections over them, and
what arrives while a worker is being replaced waits in its socket's backlog. Sockets from systemd (sd_listen_fds(3))
are shared by all workers instead.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

from gateway.app.wiring import Address

_BACKLOG: Final = 4096
_FIRST_PASSED: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


class CannotListen(Exception):
    """An address cannot be listened on; the text is one sentence with the address and the system's reason."""


def open_sockets(address: Address, count: int) -> tuple[socket.socket, ...]:
    """``count`` listening sockets on one address; port 0 takes a free port for all of them.

    Raises:
        CannotListen: no such address, in use, or not permitted.
    """
    opened: list[socket.socket] = []
    try:
        # SO_REUSEPORT would let us join another gateway of the same user unnoticed; this bind would not.
        opened.append(_open(address.host, address.port, reuse_port=False))
        port: int = opened[0].getsockname()[1]
        if count > 1:
            opened.pop().close()
            opened.extend(_open(address.host, port, reuse_port=True) for _ in range(count))
    except OSError as error:
        for sock in opened:
            sock.close()
        named = f"{address}" if address.name == str(address) else f"{address} ({address.name})"
        raise CannotListen(f"cannot listen on {named}: {error.strerror or error}") from error
    return tuple(opened)


def _open(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # One dual-stack socket on "[::]", whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(where)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def passed_sockets(environment: Mapping[str, str], own_pid: int) -> Mapping[str, socket.socket]:
    """The sockets that systemd opened for us, by name; empty when it opened none (sd_listen_fds(3))."""
    if environment.get("LISTEN_PID") != str(own_pid):
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    descriptors = range(_FIRST_PASSED, _FIRST_PASSED + int(environment.get("LISTEN_FDS", "0")))
    passed: dict[str, socket.socket] = {}
    for name, descriptor in zip(names, descriptors, strict=False):
        os.set_inheritable(descriptor, False)
        passed[name] = socket.socket(fileno=descriptor)
        passed[name].setblocking(False)
    return passed
