"""`sealpost tls policy-server`: opens its socket and serves Postfix until it is told to stop; SIGHUP reloads.

It runs beside the gateway, as its user, and shares what the workers remember. Left out on purpose: a watch on the
files, metrics, and sockets of systemd.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Final

from gateway.app.policy_socket import UnixAddress, listening
from gateway.app.sockets import CannotListen
from gateway.app.source import Configuration, Source
from gateway.app.start import CannotStart
from gateway.app.system import SystemClock
from gateway.app.tls_policies import TlsPolicies
from gateway.app.tuning import allow_files
from gateway.app.wiring import Address
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError
from gateway.flow.ports import SpoolError
from gateway.listeners.socketmap import SocketmapServer
from gateway.spool.state import NAME, SharedState
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging

GRACE: Final = timedelta(seconds=10)
"""For lookups in hand at a stop; Postfix asks again."""

_READ_WITHIN: Final = 30.0


def run_policy_server(source: Source, where: UnixAddress | Address) -> None:
    """Serves until it is told to stop.

    Raises:
        ConfigError: the configuration is not valid.
        CannotStart: the address is taken, the spool cannot be used, or the like.
    """
    configuration = source.read()
    allow_files()
    log = Log(LogFile(sys.stdout.fileno()), Level[configuration.wiring.log_level.upper()])
    adopt_standard_logging(log)
    try:
        with listening(where) as sock:
            asyncio.run(_Server(source, configuration, log).run(sock, str(where)))
    except (CannotListen, SpoolError) as error:
        raise CannotStart(str(error)) from error


class _Server:
    """One server, from its start to its stop."""

    def __init__(self, source: Source, configuration: Configuration, log: Log) -> None:
        self._source = source
        self._configuration = configuration
        self._log = log
        self._stopping = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self, sock: socket.socket, where: str) -> None:
        """Raises CannotStart, SpoolError."""
        clock = SystemClock()
        state = await SharedState.open(self._configuration.wiring.spool / NAME, clock)
        policies = TlsPolicies(state, clock, self._log)
        try:
            try:
                policies.put(_loaded(self._configuration))
            except ValueError as error:
                raise CannotStart(str(error)) from error
            with self._signals():
                await self._serve(SocketmapServer(policies.answer, self._log), policies, sock, where)
        finally:
            await policies.aclose()
            await state.aclose()
        self._log.info("stopped")

    async def _serve(self, server: SocketmapServer, policies: TlsPolicies, sock: socket.socket, where: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            services = [
                tasks.create_task(server.serve(sock, GRACE)),
                tasks.create_task(self._keep_reloading(policies)),
            ]
            self._log.info("policy server ready", address=where, configuration=self._configuration.hash)
            await self._stopping.wait()
            for service in services:
                service.cancel()

    async def _keep_reloading(self, policies: TlsPolicies) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            try:
                async with asyncio.timeout(_READ_WITHIN):
                    new = await asyncio.to_thread(self._source.read)
                    loaded = await asyncio.to_thread(_loaded, new)
                self._take(new, loaded, policies)
            except (ConfigError, ValueError, TimeoutError) as error:
                self._log.error("reload", result="invalid", detail=str(error) or "the files could not be read in time")

    def _take(self, new: Configuration, loaded: Loaded, policies: TlsPolicies) -> None:
        if new.wiring.spool != self._configuration.wiring.spool:
            self._log.error("reload", result="needs restart", detail="a change of spool.url needs a restart")
            return
        policies.put(loaded)
        self._configuration = new
        self._log.info("reload", result="applied", configuration=new.hash)

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: self._stopping.set,
            signal.SIGINT: self._stopping.set,
            signal.SIGHUP: self._reload.set,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)


def _loaded(configuration: Configuration) -> Loaded:
    return load(Bundle.from_bytes(configuration.bundle))
