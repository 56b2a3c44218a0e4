"""Reloading: read, check the whole, compare what cannot change, hand over, and go back if a worker refuses.

Files that did not change are handed over too, because certificates are read by path and may have been renewed.
Requests that come close together make one reload, and each asker gets the result of one that began after it asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.app.slot import Slot
from gateway.app.source import Configuration, Source
from gateway.app.wiring import changed
from gateway.config.problems import ConfigError

DEBOUNCE: Final = 0.2
"""Seconds; editors and package managers write several files and signal for each."""

_READ_WITHIN: Final = 30.0


class Reloaded(StrEnum):
    """How a reload ended; after all but APPLIED the configuration before it is in force."""

    APPLIED = "applied"
    INVALID = "invalid"
    NEEDS_RESTART = "needs restart"
    WORKER_REFUSED = "worker refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What came of one reload; ``text`` is for the operator, one line per problem."""

    ended: Reloaded
    text: str

    @property
    def good(self) -> bool:
        """Whether the files' configuration is in force."""
        return self.ended is Reloaded.APPLIED


class Reloader:
    """Owns the configuration in force. ``told`` hears each result."""

    def __init__(
        self,
        source: Source,
        configuration: Configuration,
        slots: Sequence[Slot],
        told: Callable[[ReloadResult, Configuration], None],
    ) -> None:
        self.configuration = configuration
        self._source = source
        self._slots = slots
        self._told = told
        self._wanted = asyncio.Event()
        self._askers: list[asyncio.Future[ReloadResult]] = []

    def request(self) -> None:
        """Asks for a reload without waiting (SIGHUP)."""
        self._wanted.set()

    async def ask(self) -> ReloadResult:
        """Asks for a reload and waits for its result."""
        asker: asyncio.Future[ReloadResult] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self._wanted.set()
        return await asker

    async def run(self) -> None:
        """Serves requests until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(DEBOUNCE)
            self._wanted.clear()
            askers, self._askers = self._askers, []
            result = await self._reload()
            self._told(result, self.configuration)
            for asker in askers:
                if not asker.done():
                    asker.set_result(result)

    async def _reload(self) -> ReloadResult:
        try:
            async with asyncio.timeout(_READ_WITHIN):
                new = await asyncio.to_thread(self._source.read)
        except ConfigError as error:
            return ReloadResult(ended=Reloaded.INVALID, text="\n".join(str(problem) for problem in error.problems))
        except TimeoutError:
            return ReloadResult(ended=Reloaded.INVALID, text="the files could not be read in time")
        if keys := changed(self.configuration.wiring, new.wiring):
            text = f"a change of {', '.join(keys)} needs a restart; nothing was changed"
            return ReloadResult(ended=Reloaded.NEEDS_RESTART, text=text)
        return await self._hand_over(new)

    async def _hand_over(self, new: Configuration) -> ReloadResult:
        reasons = await asyncio.gather(*(slot.reload(new) for slot in self._slots))
        refused = [f"worker {slot.number}: {why}" for slot, why in zip(self._slots, reasons, strict=True) if why]
        if not refused:
            self.configuration = new
            return ReloadResult(ended=Reloaded.APPLIED, text=f"configuration {new.hash[:12]} is in force")
        # Workers that judge by different policies would be worse than the old policy everywhere.
        await asyncio.gather(*(slot.reload(self.configuration) for slot in self._slots))
        return ReloadResult(ended=Reloaded.WORKER_REFUSED, text="\n".join(refused))
