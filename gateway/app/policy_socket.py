"""Where the policy server listens: a port of this machine alone, or a Unix socket.

A socketmap has no authentication, so on a network anybody between could change an answer, and nobody would notice.
"""

import contextlib
import socket
import stat
from collections.abc import Generator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from gateway.app.sockets import CannotListen, open_sockets
from gateway.app.wiring import Address
from gateway.config.units import parse_endpoint

_UNIX: Final = "unix:"
_BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket."""

    path: Path

    def __str__(self) -> str:
        return f"{_UNIX}{self.path}"


def parse_listen(text: str) -> UnixAddress | Address:
    """``unix:`` and an absolute path, or an address of this machine alone and a port.

    Raises:
        ValueError: another form; one sentence.
    """
    if text.startswith(_UNIX):
        path = Path(text.removeprefix(_UNIX))
        if not path.is_absolute():
            raise ValueError("a Unix socket is unix: and an absolute path, such as unix:/run/sealpost/tls-policy")
        return UnixAddress(path)
    host, port = parse_endpoint(text)
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ValueError("a socketmap has no authentication: listen on 127.0.0.1, [::1] or a Unix socket")
    return Address(name="policy server", host=host, port=port)


@contextlib.contextmanager
def listening(where: UnixAddress | Address) -> Generator[socket.socket]:
    """The listening socket, closed and removed at the end. Raises CannotListen."""
    if isinstance(where, Address):
        with contextlib.closing(open_sockets(where, 1)[0]) as sock:
            yield sock
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        try:
            _bind(sock, where.path)
        except OSError as error:
            raise CannotListen(f"cannot listen on {where}: {error.strerror or error}") from error
        try:
            yield sock
        finally:
            where.path.unlink(missing_ok=True)


def _bind(sock: socket.socket, path: Path) -> None:
    _remove_stale(path)
    sock.bind(str(path))
    # Postfix's processes run as another user; who may reach the socket is a matter of its folder.
    path.chmod(0o666)
    sock.listen(_BACKLOG)
    sock.setblocking(False)


def _remove_stale(path: Path) -> None:
    """What a killed server left behind; anything else stays, and binding fails. Raises OSError."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
