"""One configuration at work: listeners, dispatchers and chores that began with it and end with it.

A reload starts a new generation beside the old one and retires that: its conversations end after their message, what
it has in hand is delivered, and it claims nothing more. So a message keeps the policy it began with, and no part of
the flow needs to know of reloads.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.app.compose import Parts, make_line, make_listeners
from gateway.core.record import Entry
from gateway.flow.janitor import Chores, Janitor
from gateway.flow.ports import QueueSize, Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """How a generation reaches the worker: ``tend`` cares for its shards, ``committed`` wakes who is in force."""

    tend: Callable[[], Awaitable[None]]
    committed: Callable[[Sequence[Entry]], None]


class Generation:
    """``spools`` are those that the worker owns, the one that takes mail first."""

    def __init__(self, parts: Parts, spools: Sequence[Spool], ties: Ties) -> None:
        """Reads certificates. Raises OSError or ValueError for those that cannot be used."""
        self._parts = parts
        self._lines = {spool: make_line(parts, spool) for spool in spools}
        self._own = self._lines[spools[0]]
        self._working: dict[Spool, asyncio.Task[None]] = {}
        self._listeners = make_listeners(parts, self._own, ties.committed)
        self._janitor = Janitor(
            Chores(
                spools=lambda: tuple(self._lines),
                adopt=ties.tend,
                gauge=self._gauge,
                audit_keep=parts.queue.audit_keep,
            ),
            parts.tools.clock,
            parts.tools.events,
        )
        self._retired = asyncio.Event()
        self._patience = timedelta()
        self._tasks = asyncio.TaskGroup()

    async def run(self, sockets: Sequence[socket.socket]) -> None:
        """Works until `retire`, and then until nothing is in hand. The sockets stay open: it serves copies of them."""
        async with self._tasks as tasks:
            pairs = zip(self._listeners, sockets, strict=True)
            serving = [tasks.create_task(listener.serve(sock.dup())) for listener, sock in pairs]
            for spool, line in self._lines.items():
                self._working[spool] = tasks.create_task(line.dispatch.run())
            janitor = tasks.create_task(self._janitor.run())
            await self._retired.wait()
            janitor.cancel()
            for line in self._lines.values():
                line.dispatch.stop()
            await self._drain()
            for task in serving:
                task.cancel()
        await self._close()

    async def _drain(self) -> None:
        async with asyncio.TaskGroup() as draining:
            for listener in self._listeners:
                draining.create_task(listener.drain(self._patience))

    async def _close(self) -> None:
        for line in self._lines.values():
            await line.carriers.aclose()
        await self._parts.network.pool.aclose()

    def retire(self, patience: timedelta) -> None:
        """Takes and claims nothing more; clients get so long for the message they are in."""
        self._patience = patience
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
        await line.carriers.aclose()

    def committed(self, entries: Sequence[Entry]) -> None:
        """New mail in the worker's own spool, from whichever generation took it."""
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
