"""A local socket of a milter (unix(7)), opened by the supervisor, shared by all workers, and taken away at the end.

Its file is never there with more permissions than were asked for. A file that a crash has left is removed, but nothing
else that stands in its place, and no socket on which somebody listens.
"""

import contextlib
import errno
import socket
import stat
from pathlib import Path
from typing import Final

from gateway.app.sockets import CannotListen
from gateway.app.wiring import LocalAddress

_BACKLOG: Final = 4096
_PATIENCE: Final = 5.0


def open_local(address: LocalAddress) -> socket.socket:
    """A listening socket. Raises CannotListen."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(address.path)
        # Nobody can connect before `listen`, which comes behind `chmod`.
        sock.bind(str(address.path))
        address.path.chmod(address.permissions)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise CannotListen(f"cannot listen on {address} ({address.name}): {error.strerror or error}") from error
    return sock


def remove_local(address: LocalAddress) -> None:
    """Takes the file of a socket away that was closed, unless another gateway has put its own there."""
    with contextlib.suppress(OSError):
        _clear(address.path)


def _clear(path: Path) -> None:
    """Removes a socket on which nobody listens. Raises OSError for anything else that is there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "it exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PATIENCE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another program listens there")
