"""A worker: one process of the gateway, executed by the supervisor with its sockets and two pipes.

It obeys the commands on its standard input and ends when that closes, so it never outlives its supervisor.
"""

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, assert_never

from prometheus_client import CollectorRegistry

from gateway.app.child import run_child
from gateway.app.compose import Tools
from gateway.app.gateway import Gateway
from gateway.app.link import Link
from gateway.app.messages import Delete, Health, NotReloaded, Operate, Operated, Reload, Running, Start, Stop
from gateway.app.operations import NotPossible
from gateway.app.system import RandomIds, RandomJitter, SystemClock
from gateway.app.tuning import tune
from gateway.app.vault import Vault
from gateway.audit.files import exported
from gateway.config.bundle import Bundle
from gateway.config.load import load
from gateway.config.problems import ConfigError
from gateway.config.settings import Settings
from gateway.core.record import QueueId, State
from gateway.flow.ports import Clock, SealedStoreError, SpoolError, StateStore
from gateway.flow.tls_counts import TlsCounts
from gateway.net.memory import TlsMemory
from gateway.spool.audit import SpoolAudit
from gateway.spool.body_keys import BodyKeys
from gateway.spool.options import SpoolOptions
from gateway.spool.shards import Shards
from gateway.spool.sqlite import SpoolParts
from gateway.spool.state import SharedState
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.processes import use_slot

_HEALTH_EVERY: Final = 5.0
"""Seconds; the supervisor takes a minute of silence for a hang."""

_ORPHANED: Final = timedelta(seconds=10)
"""For what is in hand when the supervisor is gone: a new one may be waiting for our shard."""


class Worker:
    """One worker's life, from the supervisor's Start to its Stop, or its end."""

    def __init__(self, slot: int, link: Link, log: LogFile) -> None:
        self._slot = slot
        self._link = link
        self._file = log
        self._log = Log(log, Level.INFO, slot=slot)
        self._metrics = Metrics(CollectorRegistry())

    async def run(self) -> None:
        """Returns when it was told to stop and has; raises what broke it."""
        start = await self._link.receive()
        if not isinstance(start, Start):
            return
        bundle = Bundle.from_bytes(start.bundle)
        try:
            await self._work(start, bundle)
        except* (ConfigError, OSError, ValueError, SpoolError, SealedStoreError) as group:
            # What an administrator can mend; everything else is a fault of ours and leaves by its traceback.
            self._link.send(NotReloaded(hash=bundle.hash, reason=_reason(group)))
            raise

    async def _work(self, start: Start, bundle: Bundle) -> None:
        settings = load(bundle).settings
        self._log = Log(self._file, Level[settings.log_level.upper()], slot=self._slot)
        adopt_standard_logging(self._log)
        clock = SystemClock()
        state = await SharedState.open(settings.spool_dir / "state.db", clock)
        tools = replace(self._tools(start.slots, clock, state), audit=SpoolAudit(settings.spool_dir).story)
        try:
            await self._work_with(start, bundle, settings, tools)
        finally:
            await tools.vault.aclose()
            await state.aclose()

    async def _work_with(self, start: Start, bundle: Bundle, settings: Settings, tools: Tools) -> None:
        shards = await Shards.open(settings.spool_dir, self._slot, _spool_parts(tools, settings))
        try:
            sockets = [socket.socket(fileno=descriptor) for descriptor in start.listeners]
            async with Gateway(shards, tools, sockets) as gateway, asyncio.TaskGroup() as tasks:
                await gateway.reload(bundle)
                tune()
                # First what it owns, so that no command comes for a shard that nobody seems to have.
                self._report_once(gateway)
                self._link.send(Running(hash=bundle.hash))
                reporting = tasks.create_task(self._report(gateway))
                await self._obey(gateway, tasks)
                reporting.cancel()
        finally:
            await shards.aclose()

    def _tools(self, slots: int, clock: Clock, state: StateStore) -> Tools:
        ids = RandomIds()
        return Tools(
            clock=clock,
            ids=ids,
            jitter=RandomJitter(),
            events=Telemetry(self._log, self._metrics, clock),
            metrics=self._metrics,
            state=state,
            memory=TlsMemory(clock, state),
            counts=TlsCounts(state, clock, ids),
            vault=Vault(clock),
            slots=slots,
        )

    async def _report(self, gateway: Gateway) -> None:
        while True:
            await asyncio.sleep(_HEALTH_EVERY)
            self._report_once(gateway)

    def _report_once(self, gateway: Gateway) -> None:
        self._link.send(Health(shards=gateway.shards, problem=gateway.problem))
        lost, self._file.lost = self._file.lost, 0
        self._metrics.log_lines_lost.inc(lost)

    async def _obey(self, gateway: Gateway, tasks: asyncio.TaskGroup) -> None:
        while True:
            command = await self._link.receive()
            match command:
                case Reload():
                    await self._reload(gateway, command)
                case Operate():
                    tasks.create_task(self._operate(gateway, command))
                case Stop():
                    return await gateway.stop(timedelta(seconds=command.grace))
                case Start() | None:
                    return await gateway.stop(_ORPHANED)
                case _:
                    assert_never(command)

    async def _reload(self, gateway: Gateway, command: Reload) -> None:
        bundle = Bundle.from_bytes(command.bundle)
        try:
            await gateway.reload(bundle)
        except (ConfigError, OSError, ValueError, SealedStoreError) as error:
            self._link.send(NotReloaded(hash=bundle.hash, reason=str(error)))
        else:
            self._link.send(Running(hash=bundle.hash))

    async def _operate(self, gateway: Gateway, command: Operate) -> None:
        try:
            changed, problem = await gateway.operate(command.operation), None
        except (NotPossible, SpoolError) as error:
            changed, problem = 0, str(error)
        if isinstance(command.operation, Delete):
            self._metrics.ended.labels(State.DELETED.value).inc(changed)
        self._link.send(Operated(number=command.number, changed=changed, problem=problem))


def _spool_parts(tools: Tools, settings: Settings) -> SpoolParts:
    def aside(queue_id: QueueId, reason: str) -> None:
        tools.events.alert("set-aside", queue_id, reason)

    options = SpoolOptions(keys=BodyKeys(settings.spool_keys))
    parts = SpoolParts(clock=tools.clock, aside=aside, options=options)
    if settings.audit is None:
        return parts
    return replace(parts, exported=partial(exported, settings.audit.folder))


def _reason(group: BaseExceptionGroup[Exception]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _work(slot: int, link: Link, log: LogFile) -> None:
    # Before the first metric of this process is made.
    use_slot(slot)
    await Worker(slot, link, log).run()


def main() -> None:
    """Entry point of ``python -m gateway.app.worker``; only the supervisor calls it."""
    run_child("worker", _work)


if __name__ == "__main__":
    main()
