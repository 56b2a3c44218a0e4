"""The whole sandbox starts and stops as one, around a stand-in for the gateway's process."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from gateway.sandbox.gateway_process import GatewayDied, GatewayProcess
from gateway.sandbox.household import Household, Ports
from gateway.sandbox.runner import SandboxOptions, run_sandbox
from gateway.sandbox.sockets import LOOPBACK, PortTaken
from gateway.spool.lock import Locked, SpoolLock

FREE = Ports(smtp=0, admin=0, inbox=0, dns=0, mx=0)


def stand_in(config: Path) -> tuple[str, ...]:
    return (sys.executable, str(Path(__file__).with_name("stand_in_gateway.py")), str(config))


def options(data: Path, ports: Ports = FREE) -> SandboxOptions:
    return SandboxOptions(data=data, ports=ports, command=stand_in)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_everything_starts_says_so_and_ends_at_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    told: list[Ports] = []
    listening: list[bool] = []

    def listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, port)) == 0

    def started(ports: Ports) -> None:
        told.append(ports)
        listening.extend(listens(port) for port in (ports.admin, ports.inbox, ports.dns))
        os.kill(os.getpid(), number)

    await run_sandbox(options(tmp_path), started)
    (ports,) = told
    assert listening == [True, True, True]
    assert Household(tmp_path).read_ports() == ports
    assert not any(listens(port) for port in (ports.admin, ports.inbox, ports.dns))
    assert "asked for /readyz" in (tmp_path / "gateway.log").read_text()


async def test_a_signal_while_it_still_starts_ends_it_too(tmp_path: Path) -> None:
    def never_ready(_config: Path) -> tuple[str, ...]:
        os.kill(os.getpid(), signal.SIGTERM)
        return (sys.executable, "-c", "import time; time.sleep(60)")

    def started(ports: Ports) -> None:
        raise AssertionError(ports)

    await run_sandbox(SandboxOptions(data=tmp_path, ports=FREE, command=never_ready), started)


async def test_a_gateway_that_dies_later_ends_the_sandbox_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "die-when-ready").touch()
    with pytest.raises(GatewayDied, match=r"status 3; .*gateway\.log ends with:\n[\s\S]*something went wrong"):
        await run_sandbox(options(tmp_path), lambda _: None)


async def test_a_gateway_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "die-at-once").touch()
    with pytest.raises(GatewayDied, match=r"ended with status 1; .*ends with:\nno such spool"):
        await run_sandbox(options(tmp_path), lambda _: pytest.fail("it is not ready"))


@pytest.mark.parametrize("which", ["smtp", "admin", "inbox"])
async def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(tmp_path: Path, which: str) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port: int = other.getsockname()[1]
        wanted = Ports(**{**dict.fromkeys(("smtp", "admin", "inbox", "dns", "mx"), 0), which: port})
        with pytest.raises(PortTaken, match=rf"port {port} on 127\.0\.0\.1, wanted for .*, is already in use"):
            await run_sandbox(options(tmp_path, wanted), lambda _: pytest.fail("it is not ready"))
    assert not (tmp_path / "gateway.log").exists()


async def test_a_second_sandbox_in_the_same_folder_touches_nothing(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.create()
    with SpoolLock(house.lock), pytest.raises(Locked, match=f"in use by process {os.getpid()}"):
        await run_sandbox(options(tmp_path), lambda _: pytest.fail("it is not ready"))
    assert names(tmp_path) == {"certs", "spool", "lock"}
    assert names(house.certificates) == set()


async def test_a_process_that_does_not_end_by_itself_is_made_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sandbox.gateway_process.STOP", 0.05)
    with socket.socket() as told, socket.socket() as closed:
        told.bind((LOOPBACK, 0))
        told.listen()
        told.setblocking(False)
        closed.bind((LOOPBACK, 0))
        script = (
            "import signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            f"socket.create_connection({told.getsockname()}); time.sleep(60)"
        )
        process = GatewayProcess((sys.executable, "-c", script), tmp_path / "log")
        starting = asyncio.ensure_future(process.start(closed.getsockname()[1]))
        deaf, _ = await asyncio.get_running_loop().sock_accept(told)
        deaf.close()
        starting.cancel()
        await asyncio.wait([starting])
    await process.stop()
    with pytest.raises(GatewayDied, match="status -9"):
        await process.died()
    await process.stop()


async def test_a_process_that_is_never_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sandbox.gateway_process.START", 0.0)
    process = GatewayProcess((sys.executable, "-c", "import time; time.sleep(60)"), tmp_path / "log")
    with socket.socket() as closed:
        closed.bind((LOOPBACK, 0))
        with pytest.raises(GatewayDied, match=r"not ready within 0 seconds; .*log is empty"):
            await process.start(closed.getsockname()[1])
    await process.stop()
