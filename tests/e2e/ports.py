"""Ports that nobody listens on, for programs that are told theirs."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Distinct free ports on loopback."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]
