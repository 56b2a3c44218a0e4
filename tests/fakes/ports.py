"""Ports that nobody listens on, for programs that are told theirs.

A port is given once in a run, from the test process's own share of the range: what another test was given is still its
own while its program starts, or stands still between two starts.
"""

import itertools
import os
import secrets
import socket
from collections.abc import Iterator
from typing import Final

_LOWEST: Final = 10_000
_CLIENTS: Final = 32_768
"""Where the kernel's own choices for clients begin (ip_local_port_range); one of those could be taken meanwhile."""


def _own_share() -> range:
    """The ports of this process among those that pytest-xdist runs side by side."""
    size = (_CLIENTS - _LOWEST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = _LOWEST + size * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return range(first, first + size)


def _in_turn(share: range) -> Iterator[int]:
    """Each port of the share, again and again; from a random one on, since two runs may share a machine."""
    return itertools.islice(itertools.cycle(share), secrets.randbelow(len(share)), None)


_NEXT: Final = _in_turn(_own_share())


def free_ports(count: int) -> list[int]:
    """Distinct free ports on loopback, which stay free while their program restarts."""
    return list(itertools.islice(filter(_is_free, _NEXT), count))


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
