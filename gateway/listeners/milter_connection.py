"""An MTA's connection to a milter: its bytes, its waits and its end; `milter_session` knows what the events mean.

A connection that is closed makes the MTA use its default action, so that is what every end of ours comes to. An answer
that is being made is given first.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from gateway.core.reply import Reply
from gateway.listeners.admission import Standing
from gateway.listeners.connections import Busy
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.milter.events import Event
from gateway.wire.milter.negotiation import Terms
from gateway.wire.milter.session import MilterSession

BLOCK: Final = 128 * 1024


class Over(Exception):
    """The MTA has said that it needs nothing more."""


class MilterConnection(ABC):
    """One connection; `run` is its life. ``timeout`` is the longest wait for the MTA, in seconds."""

    standing = Standing.ADMITTED

    def __init__(
        self, terms: Terms, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float
    ) -> None:
        self.session: Final = MilterSession(terms)
        self._writer = writer
        self._reader = reader
        self._timeout = timeout
        self._task: asyncio.Task[None] | None = None
        self._leaving = False

    # What a subclass gives.

    @property
    @abstractmethod
    def busy(self) -> Busy:
        """What would be broken off."""

    @abstractmethod
    async def obey(self, event: Event) -> None:
        """Does what an event asks for, and answers it if it wants that. Raises Over."""

    @abstractmethod
    def forget(self) -> None:
        """Gives up the message in hand, if there is one."""

    @abstractmethod
    def closed(self) -> None:
        """Called once, at the end."""

    @abstractmethod
    def misunderstood(self, error: RemoteProtocolError | LocalProtocolError) -> None:
        """Called when the MTA, or we, would not have kept to the protocol."""

    @abstractmethod
    def broken(self, error: BaseException) -> None:
        """Called for a fault of ours that nothing else has caught."""

    # What `Connections` asks of it; nobody reads a farewell.

    def end(self, farewell: Reply) -> None:
        """Closes now, or when the answer that is being made is given."""
        self._leaving = True
        if self._task is not None and self.busy is not Busy.COMMITTING:
            self._task.cancel()

    def retire(self, farewell: Reply) -> None:
        """Closes now, or behind the message in hand."""
        self._leaving = True
        if self.busy is Busy.IDLE:
            self.end(farewell)

    def cut(self) -> None:
        """Closes at once; what the MTA has not taken yet it never will."""
        self._writer.transport.abort()

    def say(self, data: bytes) -> None:
        """Sends it, or nothing to an MTA that is gone: uvloop would take that for a fault of ours."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    async def run(self) -> None:
        """Until either side has enough; only a second cancellation would break off an answer that is being made."""
        self._task = asyncio.current_task()
        try:
            await self._converse()
        except (Over, OSError, asyncio.CancelledError):
            pass
        except (RemoteProtocolError, LocalProtocolError) as error:
            self.misunderstood(error)
        except Exception as error:
            self.broken(error)
        finally:
            self.forget()
            await self._hang_up()
            self.closed()

    async def _hang_up(self) -> None:
        """An MTA that does not take its last answer keeps its place no longer than for any other."""
        self._writer.close()
        try:
            async with asyncio.timeout(self._timeout):
                await self._writer.wait_closed()
        except (OSError, asyncio.CancelledError):
            self.cut()

    async def _converse(self) -> None:
        while not (self._leaving and self.busy is Busy.IDLE):
            async with asyncio.timeout(self._timeout):
                data = await self._reader.read(BLOCK)
            if not data:
                return
            self.session.feed(data)
            while (event := self.session.next()) is not None:
                await self.obey(event)
            # Nearly always the MTA has taken the answer already.
            if self._writer.transport.get_write_buffer_size():
                async with asyncio.timeout(self._timeout):
                    await self._writer.drain()
