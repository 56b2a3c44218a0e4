"""Reloading: read, check the whole, compare what cannot change, hand over, and go back if a worker refuses.

Files that did not change are handed over too, because certificates are read by path and may have been renewed.
Requests that come close together make one reload, and each asker gets the result of one that began after it asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a reload, and the change or ticket that it belongs to."""

    operator: str = ""
    reference: str = ""


SIGNALLED: Final = Asked("signal")
"""Whoever may send a signal; the system does not tell more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What came of one reload; ``text`` is for the operator, one line per problem. ``asked`` are all who wanted it."""

    ended: Reloaded
    text: str
    asked: Asked = Asked()

    @property
    def good(self) -> bool:
        """Whether the files' configuration is in force."""
        return self.ended is Reloaded.APPLIED


class Reloader:
    """Owns the configuration in force. ``told`` hears each result, once what is in force has been kept by ``keep``.

    ``keep`` is called in a thread of its own and returns what the operator should know of it, if anything.
    """

    def __init__(
        self,
        source: Source,
        configuration: Configuration,
        slots: Sequence[Slot],
        told: Callable[[ReloadResult, Configuration], None],
        keep: Callable[[Configuration, Asked], str] = lambda _configuration, _asked: "",
    ) -> None:
        self.configuration = configuration
        self._source = source
        self._slots = slots
        self._told = told
        self._keep = keep
        self._wanted = asyncio.Event()
        self._askers: list[asyncio.Future[ReloadResult]] = []
        self._asked: list[Asked] = []

    def request(self, asked: Asked = SIGNALLED) -> None:
        """Asks for a reload without waiting (SIGHUP)."""
        self._asked.append(asked)
        self._wanted.set()

    async def ask(self, asked: Asked = SIGNALLED) -> ReloadResult:
        """Asks for a reload and waits for its result."""
        asker: asyncio.Future[ReloadResult] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self.request(asked)
        return await asker

    async def run(self) -> None:
        """Serves requests until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(DEBOUNCE)
            self._wanted.clear()
            askers, self._askers = self._askers, []
            asked, self._asked = together(self._asked), []
            result = replace(await self._reload(asked), asked=asked)
            self._told(result, self.configuration)
            for asker in askers:
                if not asker.done():
                    asker.set_result(result)

    async def _reload(self, asked: Asked) -> ReloadResult:
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
        return await self._hand_over(new, asked)

    async def _hand_over(self, new: Configuration, asked: Asked) -> ReloadResult:
        reasons = await asyncio.gather(*(slot.reload(new) for slot in self._slots))
        refused = [f"worker {slot.number}: {why}" for slot, why in zip(self._slots, reasons, strict=True) if why]
        if not refused:
            self.configuration = new
            kept = await asyncio.to_thread(self._keep, new, asked)
            text = f"configuration {new.hash[:12]} is in force"
            return ReloadResult(ended=Reloaded.APPLIED, text=f"{text}; {kept}" if kept else text)
        # Workers that judge by different policies would be worse than the old policy everywhere.
        await asyncio.gather(*(slot.reload(self.configuration) for slot in self._slots))
        return ReloadResult(ended=Reloaded.WORKER_REFUSED, text="\n".join(refused))


def together(asked: Sequence[Asked]) -> Asked:
    """All who asked for one reload, each word once."""
    operators = dict.fromkeys(one.operator for one in asked if one.operator)
    references = dict.fromkeys(one.reference for one in asked if one.reference)
    return Asked(", ".join(operators), ", ".join(references))
