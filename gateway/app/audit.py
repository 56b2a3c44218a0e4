"""The process that exports the audit: it reads the spool from outside, and writes, signs and verifies the chains.

It carries no mail and answers nobody, and stands behind the workers in line for a processor. Whenever it ends, the next
one goes on where the chains end.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, TypeVarTuple

from prometheus_client import CollectorRegistry

from gateway.app.child import run_child
from gateway.app.link import Link
from gateway.app.page_process import CannotServe, PageProcess
from gateway.app.system import SystemClock
from gateway.audit.exporter import Exporter, Stepped
from gateway.audit.keys import Signer, Trusted
from gateway.audit.options import AuditOptions
from gateway.audit.verify import verify
from gateway.config.load import Loaded
from gateway.flow.ports import SpoolError
from gateway.telemetry.audit import AuditMetrics
from gateway.telemetry.log import Level, Log, LogFile, adopt_standard_logging
from gateway.telemetry.processes import use_slot

BEHIND: Final = 10
"""As `gateway.app.portal.BEHIND`."""

_STEP_EVERY: Final = 1.0
_VERIFY_EVERY: Final = 24 * 3600.0
_AGAIN: Final = 60.0
"""Seconds after a verification that could not be finished, such as for a file that was removed meanwhile."""


Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class Audit(PageProcess):
    """The exporter's life."""

    def __init__(self, link: Link, log: Log) -> None:
        super().__init__(link)
        self._log = log
        self._clock = SystemClock()
        self._metrics = AuditMetrics(CollectorRegistry())
        # One thread, so that the last step never runs beside another.
        self._thread = ThreadPoolExecutor(1, "audit")
        self._exporter: Exporter | None = None
        self._options: AuditOptions | None = None
        self._troubles: tuple[tuple[int, str], ...] = ()
        self._flawed: frozenset[int] = frozenset()

    async def take(self, loaded: Loaded) -> None:
        """See `PageProcess`. What it works by stays as it is until a restart (`Wiring`)."""
        if self._exporter is not None:
            return
        options = loaded.settings.audit
        if options is None:
            raise CannotServe("there is no [audit]")
        exporter = Exporter(loaded.settings.spool_dir, options)
        try:
            await self._in_thread(exporter.open)
        except SpoolError as error:
            raise CannotServe(str(error)) from error
        self._exporter, self._options = exporter, options

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """See `PageProcess`; it has no socket."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._export())
            tasks.create_task(self._verify())

    async def close(self) -> None:
        """Exports and signs what is left."""
        if self._exporter is not None:
            await self._in_thread(self._exporter.close, self._clock.now())
        self._thread.shutdown()

    async def _export(self) -> None:
        assert self._exporter is not None
        while True:
            now = self._clock.now()
            self._tell(await self._in_thread(self._exporter.step, now))
            if not self._troubles:
                self._metrics.complete.set(now.timestamp())
            await asyncio.sleep(_STEP_EVERY)

    def _tell(self, stepped: Stepped) -> None:
        self._metrics.exported.inc(stepped.events)
        if stepped.removed:
            self._log.info("audit removed", files=stepped.removed)
        for shard, trouble in stepped.troubles:
            if (shard, trouble) not in self._troubles:
                self._log.error("audit not exported", shard=shard, reason=trouble)
        self._troubles = stepped.troubles
        self._show()

    async def _verify(self) -> None:
        """Looks at all that there is, now and then; what was changed behind our back is told in the log."""
        assert self._options is not None
        trusted = Trusted((Signer(self._options.key).public,))
        while True:
            try:
                verdicts = await asyncio.to_thread(verify, self._options.folder, trusted, self._clock.now())
            except OSError as error:
                self._log.warning("audit not verified", reason=error.strerror)
                await asyncio.sleep(_AGAIN)
                continue
            for verdict in verdicts:
                for found in verdict.flaws:
                    self._log.error("audit broken", shard=verdict.shard, flaw=found.flaw.value, file=found.file)
            self._flawed = frozenset(verdict.shard for verdict in verdicts if verdict.flaws)
            self._show()
            await asyncio.sleep(_VERIFY_EVERY)

    async def _in_thread(self, do: Callable[[*Given], Result], *given: *Given) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, do, *given)

    def _show(self) -> None:
        self._metrics.broken.set(len(self._flawed | {shard for shard, _ in self._troubles}))


async def _work(slot: int, link: Link, file: LogFile) -> None:
    # Before the first metric of this process is made.
    use_slot(slot)
    log = Log(file, Level.INFO, slot=slot)
    adopt_standard_logging(log)
    await Audit(link, log).run()


def main() -> None:
    """Entry point of ``python -m gateway.app.audit``; only the supervisor calls it."""
    os.nice(BEHIND)
    run_child("audit", _work)


if __name__ == "__main__":
    main()
