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
from typing import Final

from prometheus_client import CollectorRegistry

from gateway.app.compose import Line, Parts, Tools, make_line, make_parts
from gateway.app.system import RandomIds, RandomJitter, SystemClock
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded
from gateway.core.sts import StsFound
from gateway.flow.ports import Clock, Spool, SpoolError, StateStore
from gateway.flow.tls_counts import TlsCounts
from gateway.net.dane import Dane
from gateway.net.mta_sts import Sts
from gateway.net.remote import Remote
from gateway.net.sts_fetch import HttpsFetch
from gateway.selftest.installation import MAX_AGE, installed_in
from gateway.selftest.outside import Outside
from gateway.selftest.severed import SeveredSpool, SeveredState
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from gateway.spool.state import SharedState
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, LogFile, open_log
from gateway.telemetry.metrics import Metrics

_FETCH: Final = timedelta(seconds=3)
_LOOK: Final = 0.2
_LONGEST: Final = MAX_AGE + timedelta(seconds=8)
"""After that the rest counts as waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A gateway at work. ``unprotected`` is what its own witness counts."""

    loaded: Loaded
    bundle: Bundle
    parts: Parts
    line: Line
    spool: SeveredSpool
    state: SeveredState
    registry: CollectorRegistry

    @property
    def unprotected(self) -> int:
        """``sealpost_unprotected_total``."""
        return int(self.registry.get_sample_value("sealpost_unprotected_total") or 0)

    async def idle(self) -> None:
        """Returns when every recipient has come to its end, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST.total_seconds()):
                while any((await self.spool.size()).waiting.values()):
                    # What ends a recipient is written by another thread, which sets no event.
                    await asyncio.sleep(_LOOK)


@asynccontextmanager
async def engine(outside: Outside, loaded: Loaded, bundle: Bundle, folder: Path) -> AsyncGenerator[Engine]:
    """Runs it. Raises ValueError for certificates of the configuration that cannot be used, SpoolError, OSError."""
    async with AsyncExitStack() as stack:
        clock, installed = SystemClock(), installed_in(outside, loaded, folder)
        shared = await SharedState.open(folder / "state.db", clock)
        stack.push_async_callback(shared.aclose)
        await _learn_policies(outside, installed, shared, clock)
        outside.after()
        state = SeveredState(shared)
        shard = await SqliteSpool.open(folder / "spool", 0, SpoolParts(clock=clock))
        stack.push_async_callback(shard.aclose)
        spool, registry = SeveredSpool(shard), CollectorRegistry()
        tools = _tools(_log(stack, folder), registry, state, clock)
        parts = _at_port(make_parts(installed, bundle, tools, spool), outside.https_port)
        stack.push_async_callback(parts.network.aclose)
        line = make_line(parts, spool)
        for transport in line.transports:
            stack.push_async_callback(transport.aclose)
        await parts.modes.look()
        working = asyncio.create_task(line.dispatch.run())
        stack.push_async_callback(_ended, working)
        yield Engine(
            loaded=installed, bundle=bundle, parts=parts, line=line, spool=spool, state=state, registry=registry
        )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _learn_policies(outside: Outside, installed: Loaded, state: StateStore, clock: Clock) -> None:
    """Fetches the policies that are to be kept, as an earlier message would have. Raises SpoolError if that fails."""
    network = make_fetching(installed, outside.https_port, state, clock)
    try:
        for trap in outside.traps:
            if trap.sts is not None and trap.sts.kept:
                found = await network.sts.facts(trap.domain)
                if not isinstance(found, StsFound):
                    raise SpoolError(f"the policy of {trap.domain} could not be kept")
    finally:
        await network.fetch.aclose()
