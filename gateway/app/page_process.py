"""A process beside the workers: executed by the supervisor with its sockets and two pipes, like them, and ends so.

It owns no queue. A page takes a new configuration over from one request to the next.
"""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, assert_never

from gateway.app.link import Link
from gateway.app.messages import Health, NotReloaded, Operate, Reload, Running, Start, Stop
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError
from gateway.flow.ports import SealedStoreError

_HEALTH_EVERY: Final = 5.0


class CannotServe(Exception):
    """A configuration without this page, or one that it cannot serve by; the text is one sentence."""


class PageProcess(ABC):
    """One process's life, from the supervisor's Start to its Stop, or its end."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @abstractmethod
    async def take(self, loaded: Loaded) -> None:
        """Puts a configuration in force. Raises CannotServe, and then the one before stays."""

    @abstractmethod
    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Serves until it is cancelled; after the first `take`. A page has one socket."""

    @abstractmethod
    async def close(self) -> None:
        """At the end."""

    async def run(self) -> None:
        """Returns when it was told to stop, or the supervisor is gone."""
        start = await self._link.receive()
        if not isinstance(start, Start):
            return
        if not await self._take(Bundle.from_bytes(start.bundle)):
            raise SystemExit(1)
        sockets = [socket.socket(fileno=descriptor) for descriptor in start.listeners]
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self.serve(sockets))
                reporting = tasks.create_task(self._report())
                await self._obey()
                serving.cancel()
                reporting.cancel()
        finally:
            await self.close()

    async def _obey(self) -> None:
        while True:
            command = await self._link.receive()
            match command:
                case Reload():
                    await self._take(Bundle.from_bytes(command.bundle))
                case Operate():
                    pass  # It owns no queue, so nobody asks.
                case Start() | Stop() | None:
                    return
                case _:
                    assert_never(command)

    async def _take(self, bundle: Bundle) -> bool:
        """Puts the configuration in force, or not, and tells so."""
        try:
            await self.take(load(bundle))
        except (ConfigError, CannotServe, SealedStoreError, OSError) as error:
            self._link.send(NotReloaded(hash=bundle.hash, reason=str(error)))
            return False
        self._link.send(Running(hash=bundle.hash))
        return True

    async def _report(self) -> None:
        while True:
            self._link.send(Health(shards=(), problem=None))
            await asyncio.sleep(_HEALTH_EVERY)
