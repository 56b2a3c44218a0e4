"""A gateway inside this process, made of the product's own parts: from the decision to the last attempt.

Left out on purpose: listeners, chores and other workers. What it keeps lies in the self-test's folder.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, cast

from prometheus_client import CollectorRegistry

from gateway.app.compose import Line, Parts, Tools, make_line, make_parts
from gateway.app.system import RandomIds, RandomJitter, SystemClock
from gateway.app.vault import Vault
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded
from gateway.config.settings import Settings
from gateway.core.sts import StsFound
from gateway.flow.ports import Clock, StateStore
from gateway.flow.tls_counts import TlsCounts
from gateway.net.dane import Dane
from gateway.net.dns import Resolver
from gateway.net.memory import TlsMemory
from gateway.net.mta_sts import Sts
from gateway.net.remote import Remote
from gateway.net.sts_fetch import HttpsFetch
from gateway.selftest.installation import MAX_AGE, installed_in
from gateway.selftest.outside import Outside
from gateway.selftest.severed import SeveredSpool, SeveredState
from gateway.spool.sqlite import SpoolParts
from gateway.spool.state import SharedState
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, Log, LogFile
from gateway.telemetry.metrics import Metrics

_FETCH: Final = timedelta(seconds=3)
_LOOK: Final = 0.2
LONGEST: Final = MAX_AGE + timedelta(seconds=8)
"""By then every recipient has come to its end."""


class NotReady(Exception):
    """The self-test's own world does not work, so that nothing can be proven in it; the text is a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A gateway at work. ``unprotected`` is what its own witness counts."""

    parts: Parts
    line: Line
    spool: SeveredSpool
    state: SeveredState
    registry: CollectorRegistry

    @property
    def unprotected(self) -> int:
        """``sealpost_unprotected_total``."""
        return int(self.registry.get_sample_value("sealpost_unprotected_total") or 0)

    async def idle(self, within: timedelta) -> None:
        """Returns when every recipient has come to its end, or that time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                # The end of a recipient is in the database, which sets no event.
                while any((await self.spool.size()).waiting.values()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK)


@asynccontextmanager
async def engine(outside: Outside, loaded: Loaded, bundle: Bundle, folder: Path) -> AsyncGenerator[Engine]:
    """Runs it until the end of the block.

    Raises:
        ValueError: certificates of the configuration cannot be used.
        SpoolError, OSError: the folder cannot be used.
        NotReady: the policies that are to be kept cannot be had.
    """
    clock, installed = SystemClock(), installed_in(outside, loaded, folder)
    async with AsyncExitStack() as stack:
        shared = await SharedState.open(folder / "state.db", clock)
        stack.push_async_callback(shared.aclose)
        await _learn_policies(outside, installed.settings, shared, clock)
        outside.after()
        state = SeveredState(shared)
        spool = cast(SeveredSpool, await SeveredSpool.open(folder, 0, SpoolParts(clock=clock)))
        stack.push_async_callback(spool.aclose)
        registry = CollectorRegistry()
        tools = _tools(_log(stack, folder), registry, state, clock)
        await tools.vault.prepare(installed.settings)
        stack.push_async_callback(tools.vault.aclose)
        parts = _with_policies_at(make_parts(installed, bundle, tools, spool), outside.https_port)
        stack.push_async_callback(parts.network.aclose)
        line = make_line(parts, spool)
        for transport in line.transports:
            stack.push_async_callback(transport.aclose)
        await parts.modes.look()
        stack.push_async_callback(_ended, asyncio.create_task(line.dispatch.run()))
        yield Engine(parts=parts, line=line, spool=spool, state=state, registry=registry)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _learn_policies(outside: Outside, settings: Settings, state: StateStore, clock: Clock) -> None:
    """Fetches the policies that are to be kept, as an earlier message would have. Raises NotReady."""
    resolver = Resolver(settings.dns, clock)
    fetch = _fetch(resolver, settings, outside.https_port)
    sts = Sts(resolver, fetch, state, clock)
    try:
        for trap in outside.traps:
            if trap.sts is not None and trap.sts.kept and not isinstance(await sts.facts(trap.domain), StsFound):
                raise NotReady(f"the policy of {trap.domain} could not be learned")
    finally:
        await fetch.aclose()


def _fetch(resolver: Resolver, settings: Settings, port: int) -> HttpsFetch:
    return HttpsFetch(resolver, settings.tls_ca, settings.mx.allow_networks, port=port, timeout=_FETCH)


def _with_policies_at(parts: Parts, port: int) -> Parts:
    """The same, fetching policies from that port and not from 443."""
    network, tools = parts.network, parts.tools
    fetch = _fetch(network.resolver, parts.settings, port)
    sts = Sts(network.resolver, fetch, tools.state, tools.clock)
    remote = Remote(Dane(network.resolver, parts.settings.mx.port), sts)
    return replace(parts, network=replace(network, fetch=fetch, sts=sts, remote=remote))


def _log(stack: AsyncExitStack, folder: Path) -> LogFile:
    descriptor = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    stack.callback(os.close, descriptor)
    return LogFile(descriptor)


def _tools(log: LogFile, registry: CollectorRegistry, state: StateStore, clock: Clock) -> Tools:
    metrics, ids = Metrics(registry), RandomIds()
    return Tools(
        clock=clock,
        ids=ids,
        jitter=RandomJitter(),
        events=Telemetry(Log(log, Level.INFO, slot=0), metrics, clock),
        metrics=metrics,
        state=state,
        memory=TlsMemory(clock, state),
        counts=TlsCounts(state, clock, ids),
        vault=Vault(clock),
        slots=1,
    )
