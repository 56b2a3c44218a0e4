"""Ports that nobody listens on, for programs that are told theirs."""

import secrets
import socket
from contextlib import ExitStack, suppress

_LOWEST = 10_000
_CLIENTS = 32_768
"""Where the kernel's own choices for clients begin (ip_local_port_range); one of those could be taken meanwhile."""


def free_ports(count: int) -> list[int]:
    """Distinct free ports on loopback, which stay free while their program restarts."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            sock, port = stack.enter_context(socket.socket()), _LOWEST + secrets.randbelow(_CLIENTS - _LOWEST)
            with suppress(OSError):
                sock.bind(("127.0.0.1", port))
                found.append(port)
    return found
