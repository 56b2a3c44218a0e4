"""One configuration at work: dispatchers and chores that began with it and end with it.

A reload starts a new generation beside the old one and retires that: what it has in hand is delivered, and it claims
nothing more. So a message keeps the policy it began with, and no part of the flow needs to know of reloads.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.app.chores import chores_of
from gateway.app.compose import Line, Parts, make_line
from gateway.core.plan import Planner
from gateway.core.record import Entry
from gateway.flow.accept import Accept
from gateway.flow.janitor import Charge, Janitor
from gateway.flow.modes import Order, give
from gateway.flow.ports import QueueSize, Spool, SpoolError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """How a generation reaches the worker: ``tend`` cares for its shards, ``committed`` wakes who is in force."""

    tend: Callable[[], Awaitable[None]]
    committed: Callable[[Sequence[Entry]], None]


class Generation:
    """``spools`` are those that the worker owns, the one that takes mail first; ``accept`` is the way into that."""

    def __init__(self, parts: Parts, spools: Sequence[Spool], ties: Ties) -> None:
        """Reads certificates. Raises ValueError for those that cannot be used."""
        self.settings = parts.settings
        self._parts = parts
        self._lines = {spool: make_line(parts, spool) for spool in spools}
        self._own = self._lines[spools[0]]
        self._working: dict[Spool, asyncio.Task[None]] = {}
        self.accept = Accept(spools[0], self._own.shared, ties.committed)
        self._janitor = Janitor(
            Charge(
                spools=lambda: tuple(self._lines),
                gauge=self._gauge,
                audit_keep=parts.queue.audit_keep,
            ),
            chores_of(parts, spools[0], self._own.shared, ties.committed, ties.tend),
            parts.tools.clock,
            parts.tools.events,
        )
        self._memory = parts.tools.memory
        self._chores = (self._janitor.run, parts.history.run, parts.modes.run, self._memory.run)
        self._retired = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    @property
    def planner(self) -> Planner:
        """Makes rows for the routes in force."""
        return self._own.shared.planner

    async def prepare(self) -> None:
        """Before its first message: what an operator ordered holds from the beginning."""
        await self._parts.modes.look()

    async def order(self, order: Order) -> None:
        """An operator's roll-out mode, for all workers. Raises ValueError for one that cannot be, and SpoolError."""
        await give(order, self._parts.tools.state, self._parts.book.current)
        await self._parts.modes.look()

    async def run(self) -> None:
        """Works until `retire`, and then until nothing is in hand."""
        self._memory.remember = self.settings.remember_tls
        async with self._tasks as tasks:
            for spool, line in self._lines.items():
                self._working[spool] = tasks.create_task(line.dispatch.run())
            chores = [tasks.create_task(run()) for run in self._chores]
            await self._retired.wait()
            for chore in chores:
                chore.cancel()
            for line in self._lines.values():
                line.dispatch.stop()
        await self._parts.history.write()
        await self._memory.write()
        with contextlib.suppress(SpoolError):  # They are in the next value, or are lost with the process.
            await self._parts.tools.counts.write()
        for line in self._lines.values():
            await _close(line)
        await self._parts.network.aclose()

    def retire(self) -> None:
        """Claims nothing more; `run` returns when what is in hand is done."""
        self._retired.set()

    def works(self, spool: Spool) -> bool:
        """Whether it has a line for this spool."""
        return spool in self._lines

    def add(self, spool: Spool) -> None:
        """Starts to work an adopted shard. Raises ValueError if a certificate has become unusable meanwhile."""
        line = make_line(self._parts, spool)
        self._lines[spool] = line
        self._working[spool] = self._tasks.create_task(line.dispatch.run())

    async def remove(self, spool: Spool) -> None:
        """Stops working an adopted shard; returns when nothing of it is in hand."""
        line = self._lines.pop(spool)
        line.dispatch.stop()
        await self._working.pop(spool)
        await _close(line)

    def committed(self, entries: Sequence[Entry]) -> None:
        """New mail in the worker's own spool, whichever generation's door it came in by."""
        self._own.dispatch.committed(entries)

    def wake(self) -> None:
        """Something may have become due without its dispatchers having seen it."""
        for line in self._lines.values():
            line.dispatch.wake()

    def _gauge(self, size: QueueSize) -> None:
        tools = self._parts.tools
        for state, count in size.waiting.items():
            tools.metrics.queue.labels(state.value).set(count)
        age = (tools.clock.now() - size.oldest).total_seconds() if size.oldest else 0
        tools.metrics.oldest.set(age)
        tools.metrics.shards.set(len(self._lines))
        tools.metrics.agreements.show(self._parts.book.current.registers.partners, tools.clock.now().date())


async def _close(line: Line) -> None:
    """Its routes stay known: a message that began under them may still be on its way in."""
    for transport in line.transports:
        await transport.aclose()
