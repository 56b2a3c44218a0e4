"""A milter's local socket: its permissions, what stands in its way, and who takes it away."""

import socket
from pathlib import Path

import pytest

from gateway.app.local_socket import open_local, remove_local
from gateway.app.sockets import CannotListen
from gateway.app.wiring import LocalAddress


def address(folder: Path, permissions: int = 0o660) -> LocalAddress:
    return LocalAddress(name="mta", path=folder / "milter", permissions=permissions)


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))


@pytest.mark.parametrize("permissions", [0o660, 0o600, 0o666])
def test_it_has_the_permissions_that_were_asked_for_and_goes_with_its_gateway(tmp_path: Path, permissions: int) -> None:
    where = address(tmp_path, permissions)
    with open_local(where) as sock:
        connect(where.path)
        assert where.path.stat().st_mode & 0o777 == permissions
        assert not sock.getblocking()
    remove_local(where)
    assert not where.path.exists()
    remove_local(where)


def test_what_a_crash_has_left_is_replaced(tmp_path: Path) -> None:
    where = address(tmp_path)
    open_local(where).close()
    assert where.path.is_socket()
    with open_local(where):
        connect(where.path)


def test_nobody_elses_socket_is_taken(tmp_path: Path) -> None:
    where = address(tmp_path)
    with open_local(where):
        with pytest.raises(CannotListen, match=r"cannot listen on unix:/.*/milter \(mta\): another program listens"):
            open_local(where)
        remove_local(where)
        connect(where.path)


def test_nothing_but_a_socket_is_removed(tmp_path: Path) -> None:
    where = address(tmp_path)
    where.path.write_text("mail")
    with pytest.raises(CannotListen, match="it exists and is no socket"):
        open_local(where)
    remove_local(where)
    assert where.path.read_text() == "mail"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="No such file or directory"):
        open_local(address(tmp_path / "gone"))
