"""Listening sockets: one for each slot on one address, nobody else's, dual-stack, or systemd's."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Generator

import pytest

from gateway.app.sockets import CannotListen, open_sockets, passed_sockets
from gateway.app.wiring import Address

LOOPBACK = Address(name="smtp", host="127.0.0.1", port=0)


@contextlib.contextmanager
def opened(address: Address, count: int) -> Generator[tuple[socket.socket, ...]]:
    sockets = open_sockets(address, count)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_slot_has_its_own_socket_on_the_same_port(count: int) -> None:
    with opened(LOOPBACK, count) as sockets:
        assert len({sock.fileno() for sock in sockets}) == count
        [name] = {sock.getsockname() for sock in sockets}
        with socket.create_connection(name, timeout=5):
            pass


@pytest.mark.parametrize("count", [1, 2])
def test_a_port_that_is_taken_is_named_even_if_both_would_share_it(count: int) -> None:
    with opened(LOOPBACK, 2) as sockets:
        taken = Address(name="devices", host="127.0.0.1", port=sockets[0].getsockname()[1])
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{taken.port} \(devices\): Address already in use"):
            open_sockets(taken, count)


def test_a_listener_without_a_name_of_its_own_is_named_once() -> None:
    with opened(LOOPBACK, 1) as sockets:
        port = sockets[0].getsockname()[1]
        with pytest.raises(CannotListen, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use$"):
            open_sockets(Address(name=f"127.0.0.1:{port}", host="127.0.0.1", port=port), 1)


def test_an_address_that_is_not_ours_or_no_address_is_named() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:0"):
        open_sockets(Address(name="smtp", host="192.0.2.1", port=0), 2)
    with pytest.raises(CannotListen, match=r"nonsense\.invalid"):
        open_sockets(Address(name="smtp", host="nonsense.invalid", port=0), 1)


def test_the_wildcard_takes_both_protocols() -> None:
    with opened(Address(name="smtp", host="::", port=0), 2) as sockets:
        port = sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), timeout=5):
                pass


def test_sockets_are_not_inherited_by_chance() -> None:
    with opened(LOOPBACK, 1) as [sock]:
        assert not os.get_inheritable(sock.fileno())


def test_without_systemd_nothing_was_passed() -> None:
    assert passed_sockets({}, 1) == {}
    assert passed_sockets({"LISTEN_PID": "2", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}, 1) == {}


def test_sockets_from_systemd_are_taken_by_name() -> None:
    # Descriptor 3 on is a process's own business, so the taking happens in one of its own.
    script = (
        "import os\n"
        "from gateway.app.sockets import passed_sockets\n"
        "passed = passed_sockets({**os.environ, 'LISTEN_PID': str(os.getpid())}, os.getpid())\n"
        "print({name: sock.getsockname()[1] for name, sock in passed.items()})\n"
        "print([os.get_inheritable(sock.fileno()) for sock in passed.values()])\n"
    )
    with opened(LOOPBACK, 1) as [first], opened(LOOPBACK, 1) as [second]:
        environment = {**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:admin"}

        def as_systemd() -> None:
            ours = [os.dup(sock.fileno()) for sock in (first, second)]
            moved = [os.dup2(sock, 20 + place) for place, sock in enumerate(ours)]
            for place, sock in enumerate(moved):
                os.dup2(sock, 3 + place)

        result = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            preexec_fn=as_systemd,
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        )
        ports = {"smtp": first.getsockname()[1], "admin": second.getsockname()[1]}
        assert result.stdout == f"{ports}\n[False, False]\n"
