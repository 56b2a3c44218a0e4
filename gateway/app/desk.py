"""The process of the desk: it reads the spool as the command line does, and acts through the control socket."""

import asyncio
import socket
from collections.abc import Sequence, Set
from pathlib import Path
from typing import assert_never

from gateway.app.child import run_child
from gateway.app.control import NotRunning, ask
from gateway.app.link import Link
from gateway.app.messages import Changed, Decide, Done, GiveBack, NotDone, Pick, Release, ShowContent, View
from gateway.app.page_process import CannotServe, PageProcess
from gateway.app.system import SystemClock
from gateway.config.load import Loaded
from gateway.desk.hands import By
from gateway.desk.login import is_proxy
from gateway.desk.pages import DeskPages, InForce
from gateway.desk.serving import serve_desk
from gateway.spool.body_keys import NO_KEYS, BodyKeys
from gateway.spool.reader import ShardReader
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging


class ControlHands:
    """Acts by the control socket of the spool, as the command line does."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    async def release(self, by: By, numbers: Set[int]) -> str | None:
        """See `Hands`."""
        return await self._ask(Release(picks=_picks(by, numbers), role=by.role, reason="", operator=by.user))

    async def give_back(self, by: By, numbers: Set[int], note: str) -> str | None:
        """See `Hands`."""
        return await self._ask(GiveBack(picks=_picks(by, numbers), role=by.role, note=note, operator=by.user))

    async def shown(self, by: By, number: int) -> str | None:
        """See `Hands`."""
        return await self._ask(ShowContent(picks=_picks(by, {number}), role=by.role, operator=by.user))

    async def _ask(self, wanted: Decide) -> str | None:
        try:
            answer = await asyncio.to_thread(ask, self._spool, wanted)
        except (NotRunning, OSError):
            return "the mail gateway does not answer; try again in a moment"
        match answer:
            case Changed(recipients=0):
                return "nothing was changed: it is decided already, or not yours to decide"
            case Changed():
                return None
            case Done() | View() | NotDone():
                return answer.text
            case _:
                assert_never(answer)


def _picks(by: By, numbers: Set[int]) -> tuple[Pick, ...]:
    return (Pick(queue_id=by.queue_id, numbers=tuple(sorted(numbers))),)


class Desk(PageProcess):
    """The desk."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._now: InForce | None = None
        self._spool: Path | None = None
        self._keys = NO_KEYS

    async def take(self, loaded: Loaded) -> None:
        """See `PageProcess`."""
        settings, organisation = loaded.settings, loaded.policy.organisation
        if settings.desk is None:
            raise CannotServe("there is no [listen.desk]")
        self._now = InForce(
            options=settings.desk,
            key=settings.hop_key,
            organisation=organisation.name,
            contact=organisation.contact,
        )
        self._spool = settings.spool_dir
        self._keys = BodyKeys(settings.spool_keys)

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """See `PageProcess`."""
        [sock] = sockets
        assert self._spool is not None
        pages = DeskPages(
            self._in_force, ShardReader(self._spool, self._keys), ControlHands(self._spool), SystemClock().now
        )
        await serve_desk(pages.application(), sock, self._admits)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _admits(self, host: str) -> bool:
        return is_proxy(host, self._in_force().options)

    def _in_force(self) -> InForce:
        assert self._now is not None
        return self._now


async def _work(slot: int, link: Link, log: LogFile) -> None:
    adopt_standard_logging(Log(log, Level.INFO, slot=slot))
    await Desk(link).run()


def main() -> None:
    """Entry point of ``python -m gateway.app.desk``; only the supervisor calls it."""
    run_child("desk", _work)


if __name__ == "__main__":
    main()
