"""A worker's gateway: its shards, and the generation of parts that is in force, which a reload replaces."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from gateway.app.compose import Tools, make_parts
from gateway.app.entrance import Door, Entrance, Opening
from gateway.app.generation import Generation, Ties
from gateway.app.messages import Operation, SetMode
from gateway.app.operations import NotPossible, Operator, order_of
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load
from gateway.config.settings import Settings
from gateway.core.record import Entry
from gateway.flow.custody import Custody
from gateway.spool.shards import Shards

_LOOK: Final = 5.0
"""Seconds between looks for rows that a retired generation deferred: only its own dispatchers knew of them."""


class Gateway:
    """Works between entering and leaving it. ``sockets`` are in the order of `Wiring.doors`."""

    def __init__(self, shards: Shards, tools: Tools, sockets: Sequence[socket.socket]) -> None:
        self._shards = shards
        self._tools = tools
        self._operator = Operator(tools.clock)
        self._tasks = asyncio.TaskGroup()
        self._entrances = [Entrance(sock, self._tasks, tools.slots) for sock in sockets]
        self._changing = asyncio.Lock()
        self._working: dict[Generation, asyncio.Task[None]] = {}
        self._current: Generation | None = None
        self._door: Door | None = None
        self._told: Mapping[int, str] = {}

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    async def reload(self, bundle: Bundle) -> None:
        """Puts a configuration in force, the first or another. All of it is made before any of it is used.

        Raises:
            ConfigError, OSError, ValueError, SealedStoreError: it cannot work; the one before stays in force.
        """
        async with self._changing:
            loaded = await asyncio.to_thread(load, bundle)
            await self._tools.vault.prepare(loaded.settings)
            new = await asyncio.to_thread(self._build, loaded, bundle)
            await new.prepare()
            door = self._door or Door(new.accept)
            openings = await asyncio.to_thread(self._prepare, new.settings, door)
            old, self._current, self._door = self._current, new, door
            self._working[new] = self._tasks.create_task(new.run())
            door.replace(new.accept)
            for entrance, opening in zip(self._entrances, openings, strict=True):
                if opening is not None:
                    entrance.open(opening)
            self._tell_of_tags(new.settings)
            if old is not None:
                old.retire()
                self._tasks.create_task(self._see_out(old))

    def _build(self, loaded: Loaded, bundle: Bundle) -> Generation:
        spools = self._shards.owned
        parts = make_parts(loaded, bundle, self._tools, spools[0])
        return Generation(parts, spools, Ties(tend=self._tend, committed=self._committed))

    def _prepare(self, settings: Settings, door: Door) -> list[Opening | None]:
        return [
            entrance.prepare(options, settings.hostname, door, self._tools.events)
            for entrance, options in zip(self._entrances, (*settings.smtp, *settings.milter), strict=True)
        ]

    def _tell_of_tags(self, settings: Settings) -> None:
        """A milter that enforces nothing is a mode without an end, so every start says that it is there."""
        names = [milter.name for milter in settings.milter if milter.custody is Custody.TAG]
        self._tools.metrics.tagging(len(names))
        for name in names:
            self._tools.events.alert("mode-active", "", f"tag for the listener {name}: nothing is enforced there")

    async def _see_out(self, old: Generation) -> None:
        task = self._working[old]
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK)
            self._wake()
        del self._working[old]

    def _committed(self, entries: Sequence[Entry]) -> None:
        if self._current is not None:
            self._current.committed(entries)

    def _wake(self) -> None:
        if self._current is not None:
            self._current.wake()

    async def stop(self, grace: timedelta) -> None:
        """Takes nothing more; what is in hand gets so long, and the rest is in the spool. Then it can be left."""
        for generation in self._working:
            generation.retire()
        async with asyncio.TaskGroup() as closing:
            for entrance in self._entrances:
                closing.create_task(entrance.close(grace))
            _, late = await asyncio.wait(set(self._working.values()), timeout=grace.total_seconds())
            for task in late:
                task.cancel()

    async def _tend(self) -> None:
        # The chore may be cancelled by a reload in the middle of taking a lock, which nobody would then know of.
        await asyncio.shield(self._tasks.create_task(self._tend_shards()))

    async def _tend_shards(self) -> None:
        try:
            async with self._changing:
                await self._shards.adopt()
                self._tell_unusable()
                if self._current is not None:
                    await self._work_all(self._current)
        except Exception as error:
            self._tools.events.broken("shards", "", error)

    def _tell_unusable(self) -> None:
        """Once for each shard and reason."""
        for shard, why in self._shards.unusable.items():
            if self._told.get(shard) != why:
                self._tools.events.alert("shard-unusable", "", f"mail waits that nobody can send: {why}")
        self._told = dict(self._shards.unusable)

    async def _work_all(self, current: Generation) -> None:
        """Every shard that we own is worked, and an adopted one that has become empty is given back."""
        for spool in self._shards.owned:
            if not current.works(spool):
                current.add(spool)
            elif spool is not self._shards.own and not any((await spool.size()).waiting.values()):
                await current.remove(spool)
                await self._shards.give_back(spool)

    async def operate(self, operation: Operation | SetMode) -> int:
        """An operator's change; returns how many recipients, or modes, it changed. Raises NotPossible, SpoolError."""
        if isinstance(operation, SetMode):
            return await self._set_mode(operation)
        if self._current is None:
            raise NotPossible("the worker has no configuration yet")
        changed = await self._operator.apply(operation, self._shards.owned, self._current.planner)
        self._wake()
        return changed

    async def _set_mode(self, wanted: SetMode) -> int:
        if self._current is None:
            raise NotPossible("the worker has no configuration yet")
        try:
            await self._current.order(order_of(wanted, self._tools.clock.now()))
        except ValueError as error:
            raise NotPossible(str(error)) from error
        return 1

    @property
    def shards(self) -> tuple[int, ...]:
        """The numbers of the shards that this worker owns now."""
        return tuple(spool.shard for spool in self._shards.owned)

    @property
    def problem(self) -> str | None:
        """Why it takes no mail, as the end of a sentence; None when it does."""
        return None if self._shards.own.healthy else "cannot write its spool; look at the disk, then restart"
