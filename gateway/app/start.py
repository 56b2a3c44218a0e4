"""`sealpost run`: takes the spool's lock, opens the sockets, and hands both to the supervisor.

Everything that can make a start impossible is found here, before a process is executed, and told in one sentence.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.app.control import open_control
from gateway.app.local_socket import open_local, remove_local
from gateway.app.metrics_folder import UnsafeFolder, empty_metrics_folder
from gateway.app.sockets import CannotListen, open_sockets, passed_sockets
from gateway.app.source import Configuration, Source
from gateway.app.supervisor import Held, Setting, Supervisor
from gateway.app.tuning import allow_files
from gateway.app.wiring import Address, LocalAddress, Wiring
from gateway.flow.ports import SpoolError
from gateway.spool.disk import SystemDisk
from gateway.spool.lock import Locked, SpoolLock
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging
from gateway.transports.network import FOLDER
from gateway.transports.wrapping import sweep_wrapped

_MOST_WORKERS: Final = 4
"""Without a number of their own: beyond it, commits are spread so thin that their groups become small."""

_SYSTEMD: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class CannotStart(Exception):
    """The gateway cannot be started; the text is one sentence."""


def run_gateway(source: Source) -> None:
    """Runs the gateway until it is told to stop.

    Raises:
        ConfigError: the configuration is not valid.
        CannotStart: the spool is in use, an address is taken, or the like.
    """
    configuration = source.read()
    allow_files()
    log = Log(LogFile(sys.stdout.fileno()), Level[configuration.wiring.log_level.upper()])
    adopt_standard_logging(log)
    spool = configuration.wiring.spool
    try:
        _make(spool)
        with SpoolLock(spool / "lock"):
            # No worker carries anything yet, so whatever is wrapped is what a crash left.
            sweep_wrapped(spool / FOLDER)
            with _held(configuration.wiring) as held:
                asyncio.run(_supervise(source, configuration, held, log))
    except Locked as error:
        raise CannotStart(f"another gateway is running: {error}") from error
    except (CannotListen, UnsafeFolder, SpoolError) as error:
        raise CannotStart(str(error)) from error


def _make(spool: Path) -> None:
    """Each new name on the way to it is made durable too: all that is promised below hangs on them."""
    try:
        new = [folder for folder in (spool, *spool.parents) if not folder.exists()]
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in new:
            SystemDisk().sync_folder(folder.parent)
    except OSError as error:
        raise CannotStart(f"cannot make the spool {spool}: {error.strerror}") from error


async def _supervise(source: Source, configuration: Configuration, held: Held, log: Log) -> None:
    told = asyncio.Event()

    def announce() -> None:
        # Only at the start: a replaced worker is the log's affair.
        if not told.is_set():
            told.set()
            _announce(held)

    setting = Setting(
        workers=count_workers(configuration.wiring),
        environment={name: value for name, value in os.environ.items() if name not in _SYSTEMD},
        announce=announce,
    )
    await Supervisor(source, configuration, held, setting, log).run()


def count_workers(wiring: Wiring) -> int:
    """As configured; for 0 one for each processor that we may use, up to four."""
    return wiring.workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS)


@contextmanager
def _held(wiring: Wiring) -> Generator[Held]:
    """Opens all that the supervisor holds, and closes it at the end. Raises CannotListen, UnsafeFolder."""
    passed = passed_sockets(os.environ, os.getpid())
    workers = count_workers(wiring)
    metrics = empty_metrics_folder(wiring.spool, os.environ)
    held = Held(
        doors=tuple(_door(address, passed, workers) for address in wiring.doors),
        admin=(passed.get("admin") or open_sockets(wiring.admin, 1)[0]) if wiring.admin else None,
        desk=(passed.get("desk") or open_sockets(wiring.desk, 1)[0]) if wiring.desk else None,
        portal=(passed.get("portal") or open_sockets(wiring.portal, 1)[0]) if wiring.portal else None,
        control=open_control(wiring.spool),
        metrics=metrics,
    )
    try:
        yield held
    finally:
        pages = [sock for sock in (held.desk, held.portal) if sock is not None]
        for sockets in (*held.doors, (held.control,), pages):
            for sock in sockets:
                sock.close()
        for address in wiring.doors:
            if isinstance(address, LocalAddress) and address.name not in passed:
                remove_local(address)
        shutil.rmtree(metrics, ignore_errors=True)


def _door(
    address: Address | LocalAddress, passed: Mapping[str, socket.socket], workers: int
) -> tuple[socket.socket, ...]:
    """One socket for each worker."""
    if address.name in passed:
        return (passed[address.name],) * workers
    return (open_local(address),) * workers if isinstance(address, LocalAddress) else open_sockets(address, workers)


def _announce(held: Held) -> None:
    """One line for a person who started it by hand; the log is for everybody else."""
    if not sys.stderr.isatty():
        return
    addresses = ", ".join(_where(sockets[0].getsockname()) for sockets in held.doors)
    admin = f"; metrics on http://{_where(held.admin.getsockname())}/metrics" if held.admin else ""
    sys.stderr.write(f"Sealpost is ready: mail on {addresses}{admin}. Ctrl-C stops it.\n")


def _where(name: tuple[str, int] | str) -> str:
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{host}:{name[1]}"
