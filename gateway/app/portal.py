"""The process of the portal: it serves the pages where sealed messages are opened, from the store of sealed messages.

It reads no spool and never answers for mail: what its pages cause waits in the store, where a worker finds it.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.app.child import run_child
from gateway.app.link import Link
from gateway.app.page_process import CannotServe, PageProcess
from gateway.app.system import RandomIds, SystemClock
from gateway.app.vault import Vault
from gateway.config.load import Loaded
from gateway.core.report import Identity
from gateway.portal.application import application
from gateway.portal.context import Context, InForce
from gateway.portal.serving import serve_portal
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging

BEHIND: Final = 10
"""How far behind the workers it stands in line for a processor: hashing what people type takes most of one, and mail
comes first (`python -m bench.portal`)."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """One log line for each thing that happens on the pages; they say no word of a message."""

    log: Log

    def __call__(self, name: str, facts: Mapping[str, str]) -> None:
        self.log.info(name, **facts)


class Portal(PageProcess):
    """The portal."""

    def __init__(self, link: Link, log: Log) -> None:
        super().__init__(link)
        self._clock = SystemClock()
        self._vault = Vault(self._clock)
        self._heard = _Heard(log)
        self._now: InForce | None = None

    async def take(self, loaded: Loaded) -> None:
        """See `PageProcess`."""
        settings, organisation = loaded.settings, loaded.policy.organisation
        if settings.pages is None or settings.portal is None:
            raise CannotServe("there is no [listen.portal]")
        await self._vault.prepare(settings)
        self._now = InForce(
            page=settings.pages,
            portal=settings.portal,
            identity=Identity(
                hostname=settings.hostname, contact=organisation.contact, postmaster=organisation.postmaster
            ),
            key=settings.hop_key,
        )

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """See `PageProcess`."""
        [sock] = sockets
        store = self._vault.store
        assert store is not None
        context = Context(in_force=self._in_force, store=store, clock=self._clock, ids=RandomIds(), events=self._heard)
        await serve_portal(application(context), sock, self._in_force().page)

    async def close(self) -> None:
        """See `PageProcess`."""
        await self._vault.aclose()

    def _in_force(self) -> InForce:
        assert self._now is not None
        return self._now


async def _work(slot: int, link: Link, file: LogFile) -> None:
    log = Log(file, Level.INFO, slot=slot)
    adopt_standard_logging(log)
    await Portal(link, log).run()


def main() -> None:
    """Entry point of ``python -m gateway.app.portal``; only the supervisor calls it."""
    os.nice(BEHIND)
    run_child("portal", _work)


if __name__ == "__main__":
    main()
