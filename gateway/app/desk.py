"""The process of the desk: executed by the supervisor with its socket and two pipes, like a worker, and ends like one.

It holds no lock: it reads the spool as the command line does, and acts through the control socket. It takes a new
configuration over from one request to the next.
"""

import asyncio
import socket
from collections.abc import Set
from pathlib import Path
from typing import Final, assert_never

from gateway.app.child import run_child
from gateway.app.control import NotRunning, ask
from gateway.app.link import Link
from gateway.app.messages import (
    Decide,
    Done,
    GiveBack,
    Health,
    NotReloaded,
    Operate,
    Release,
    Reload,
    Running,
    ShowContent,
    Start,
    Stop,
)
from gateway.app.system import SystemClock
from gateway.config.bundle import Bundle
from gateway.config.load import load
from gateway.config.problems import ConfigError
from gateway.desk.hands import By
from gateway.desk.login import is_proxy
from gateway.desk.pages import DeskPages, InForce
from gateway.desk.serving import serve_desk
from gateway.spool.reader import ShardReader
from gateway.telemetry.log import Level, LogFile, adopt_standard_logging, open_log

_HEALTH_EVERY: Final = 5.0


class ControlHands:
    """Acts by the control socket of the spool, as the command line does."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    async def release(self, by: By, numbers: Set[int]) -> str | None:
        """See `Hands`."""
        chosen = tuple(sorted(numbers))
        return await self._ask(Release(queue_id=by.queue_id, numbers=chosen, role=by.role, reason="", operator=by.user))

    async def give_back(self, by: By, numbers: Set[int], note: str) -> str | None:
        """See `Hands`."""
        chosen = tuple(sorted(numbers))
        return await self._ask(
            GiveBack(queue_id=by.queue_id, numbers=chosen, role=by.role, note=note, operator=by.user)
        )

    async def shown(self, by: By, number: int) -> str | None:
        """See `Hands`."""
        return await self._ask(ShowContent(queue_id=by.queue_id, number=number, role=by.role, operator=by.user))

    async def _ask(self, wanted: Decide) -> str | None:
        try:
            answer = await asyncio.to_thread(ask, self._spool, wanted)
        except (NotRunning, OSError):
            return "the mail gateway does not answer; try again in a moment"
        return None if isinstance(answer, Done) else answer.text


class Desk:
    """One desk's life, from the supervisor's Start to its Stop, or its end."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._now: InForce | None = None

    async def run(self) -> None:
        """Returns when it was told to stop, or the supervisor is gone."""
        start = await self._link.receive()
        if not isinstance(start, Start):
            return
        bundle = Bundle.from_bytes(start.bundle)
        spool = self._take(bundle)
        if spool is None:
            raise SystemExit(1)
        [descriptor] = start.listeners
        pages = DeskPages(self._in_force, ShardReader(spool), ControlHands(spool), SystemClock().now)
        async with asyncio.TaskGroup() as tasks:
            sock = socket.socket(fileno=descriptor)
            serving = tasks.create_task(serve_desk(pages.application(), sock, self._admits))
            reporting = tasks.create_task(self._report())
            await self._obey()
            serving.cancel()
            reporting.cancel()

    async def _obey(self) -> None:
        while True:
            command = await self._link.receive()
            match command:
                case Reload():
                    self._take(Bundle.from_bytes(command.bundle))
                case Operate():
                    pass  # It owns no queue, so nobody asks.
                case Start() | Stop() | None:
                    return
                case _:
                    assert_never(command)

    def _take(self, bundle: Bundle) -> Path | None:
        """Puts the configuration in force and tells so; the spool, or None if it cannot be."""
        try:
            loaded = load(bundle)
        except ConfigError as error:
            return self._refuse(bundle, str(error))
        settings, organisation = loaded.settings, loaded.policy.organisation
        if settings.desk is None:
            return self._refuse(bundle, "there is no [listen.desk]")
        self._now = InForce(
            options=settings.desk,
            key=settings.hop_key,
            organisation=organisation.name,
            contact=organisation.contact,
        )
        self._link.send(Running(hash=bundle.hash))
        return settings.spool_dir

    def _refuse(self, bundle: Bundle, reason: str) -> None:
        self._link.send(NotReloaded(hash=bundle.hash, reason=reason))

    def _admits(self, host: str) -> bool:
        return is_proxy(host, self._in_force().options)

    def _in_force(self) -> InForce:
        assert self._now is not None
        return self._now

    async def _report(self) -> None:
        while True:
            self._link.send(Health(shards=(), problem=None))
            await asyncio.sleep(_HEALTH_EVERY)


async def _work(slot: int, link: Link, log: LogFile) -> None:
    adopt_standard_logging(open_log(log, Level.INFO, slot=slot))
    await Desk(link).run()


def main() -> None:
    """Entry point of ``python -m gateway.app.desk``; only the supervisor calls it."""
    run_child("desk", _work)


if __name__ == "__main__":
    main()
