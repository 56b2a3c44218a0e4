"""The supervisor: holds the lock and the sockets, keeps the workers, reloads, and answers operators and Prometheus.

It never sees a message. Whatever ends it ends its workers too, because their pipes close.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from gateway.app.control import Control
from gateway.app.editions import Editions
from gateway.app.keeper import Keeper
from gateway.app.messages import (
    Answer,
    AskReload,
    AskStatus,
    AskView,
    Changed,
    Delete,
    Done,
    GiveBack,
    Hold,
    NotDone,
    Operation,
    Pick,
    Release,
    Request,
    Reroute,
    Retry,
    SetMode,
    ShowContent,
)
from gateway.app.overview import Overview, listeners_of
from gateway.app.reload import Asked, Reloaded, Reloader, ReloadResult
from gateway.app.slot import AUDIT, DESK, PORTAL, WORKER, NoAnswer, Slot, SlotPlan
from gateway.app.source import Configuration, Source
from gateway.app.watch import Watch
from gateway.flow.modes import in_words
from gateway.listeners.admin import AdminPages, serve_admin
from gateway.spool.ids import shard_of
from gateway.telemetry.log import Log
from gateway.telemetry.processes import CONTENT_TYPE, FOLDER_VARIABLE, ProcessMetrics

GRACE: Final = 30.0
"""Seconds that sessions and deliveries in hand get at a stop; what is not finished is in the spool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the supervisor holds for life. ``doors[i][slot]`` is the socket of the i-th listener for that slot.

    ``desk`` is that of the page where held mail is released, ``portal`` that of the pages where sealed messages are
    opened; each has a process of its own.
    """

    doors: tuple[tuple[socket.socket, ...], ...]
    admin: socket.socket | None
    control: socket.socket
    metrics: Path
    desk: socket.socket | None = None
    portal: socket.socket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How it is run. ``announce`` is called each time all workers have become ready."""

    workers: int
    environment: Mapping[str, str]
    command: tuple[str, ...] = WORKER
    desk_command: tuple[str, ...] = DESK
    portal_command: tuple[str, ...] = PORTAL
    audit_command: tuple[str, ...] = AUDIT
    grace: float = GRACE
    announce: Callable[[], None]


class Supervisor:
    """One gateway on one machine."""

    def __init__(self, source: Source, configuration: Configuration, held: Held, setting: Setting, log: Log) -> None:
        self._held = held
        self._setting = setting
        self._log = log
        self._metrics = ProcessMetrics(held.metrics)
        self._metrics.initialise(setting.workers, tuple(Reloaded))
        self._slots = [Slot(self._plan(number), configuration, log) for number in range(setting.workers)]
        self._keeper = Keeper(Editions(configuration.wiring.spool), log)
        self._others = [Slot(plan, configuration, log) for plan in self._page_plans()]
        exports = configuration.wiring.audit is not None
        self._audit = [Slot(self._audit_plan(), configuration, log)] if exports else []
        self._everyone = (*self._slots, *self._others, *self._audit)
        self._reloader = Reloader(source, configuration, self._everyone, self._told, self._keeper.keep)
        self._stopping = asyncio.Event()
        self._ordering = asyncio.Lock()
        self._overview = self._make_overview(configuration)
        self._in_force(configuration)

    def _plan(self, number: int) -> SlotPlan:
        return SlotPlan(
            number=number,
            slots=self._setting.workers,
            sockets=tuple(sockets[number] for sockets in self._held.doors),
            environment={**self._setting.environment, FOLDER_VARIABLE: str(self._held.metrics)},
            command=self._setting.command,
            up=self._up,
            died=self._died,
        )

    def _page_plans(self) -> Iterator[SlotPlan]:
        """Kept like workers, but they take no mail: whether they are there says nothing of the others."""
        setting, held = self._setting, self._held
        pages = (("desk", held.desk, setting.desk_command), ("portal", held.portal, setting.portal_command))
        there = [(name, sock, command) for name, sock, command in pages if sock is not None]
        for number, (name, sock, command) in enumerate(there, setting.workers):
            yield SlotPlan(
                number=number,
                slots=setting.workers,
                sockets=(sock,),
                environment=setting.environment,
                command=command,
                up=partial(self._page_up, name),
                died=lambda _number: None,
            )

    def _audit_plan(self) -> SlotPlan:
        """The exporter of the audit: it counts as the workers do, and is the last to stop."""
        return replace(
            self._plan(0),
            number=self._setting.workers + len(self._others),
            sockets=(),
            command=self._setting.audit_command,
            up=partial(self._page_up, "audit"),
            died=self._metrics.forget,
        )

    def _page_up(self, name: str, number: int) -> None:
        self._log.info(f"{name} ready", slot=number)

    async def run(self) -> None:
        """Runs until `stop` or SIGTERM or SIGINT; returns when every worker has ended."""
        await asyncio.to_thread(self._keeper.keep, self._reloader.configuration, Asked(reference="start"))
        with self._signals():
            async with asyncio.TaskGroup() as tasks:
                services = [
                    tasks.create_task(self._reloader.run()),
                    tasks.create_task(self._watch().run()),
                    tasks.create_task(Control(self.answer, self._log).serve(self._held.control)),
                ]
                if self._held.admin is not None:
                    services.append(tasks.create_task(serve_admin(self._pages(), self._held.admin)))
                await self._keep_workers()
                for service in services:
                    service.cancel()
        self._log.info("stopped")

    def _make_overview(self, configuration: Configuration) -> Overview:
        held = self._held
        pages = (("admin", held.admin), ("desk", held.desk), ("portal", held.portal))
        return Overview(
            started_at=datetime.now(UTC),
            slots=self._slots,
            metrics=self._metrics,
            listeners=tuple(listeners_of(configuration, held.doors, pages)),
            configuration=lambda: self._reloader.configuration,
            not_ready=self.not_ready,
        )

    def _watch(self) -> Watch:
        asked = Asked(operator="watch", reference="a file changed")
        return Watch(lambda: self._reloader.configuration.watched, lambda: self._reloader.request(asked))

    async def _keep_workers(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            kept = {slot: tasks.create_task(slot.keep()) for slot in self._everyone}
            await self._stopping.wait()
            self._log.info("stopping", grace=self._setting.grace)
            for slot in (*self._slots, *self._others):
                slot.stop(self._setting.grace)
            # What the workers write at their end is exported too.
            await asyncio.wait([kept[slot] for slot in self._slots])
            for slot in self._audit:
                slot.stop(self._setting.grace)

    def stop(self) -> None:
        """Begins a graceful stop."""
        self._stopping.set()

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self._reloader.request,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _up(self, slot: int) -> None:
        self._metrics.worker_up.labels(slot).set(1)
        self._log.info("worker ready", slot=slot)
        if self.not_ready() is None:
            self._setting.announce()

    def _died(self, slot: int) -> None:
        self._metrics.worker_up.labels(slot).set(0)
        self._metrics.forget(slot)
        if not self._stopping.is_set():
            self._metrics.worker_restarts.labels(slot).inc()

    def _told(self, result: ReloadResult, configuration: Configuration) -> None:
        self._metrics.reloads.labels(result.ended).inc()
        self._metrics.reload_good.set(result.good)
        if result.good:
            self._in_force(configuration)
        write = self._log.info if result.good else self._log.error
        write(
            "reload",
            result=result.ended.value,
            detail=result.text,
            configuration=configuration.hash,
            policy=configuration.policy_hash,
            operator=result.asked.operator or None,
            reference=result.asked.reference or None,
        )

    def _in_force(self, configuration: Configuration) -> None:
        self._metrics.reload_good.set(1)
        self._metrics.reload_time.set(time.time())
        for warning in configuration.warnings:
            self._log.warning("configuration", detail=warning)
        self._metrics.configuration.info({"hash": configuration.hash, "policy": configuration.policy_hash})

    def _pages(self) -> AdminPages:
        return AdminPages(metrics=self._metrics.page, content_type=CONTENT_TYPE, not_ready=self.not_ready)

    def not_ready(self) -> str | None:
        """Why mail is not taken by every worker, in plain words; None when all is well."""
        if self._stopping.is_set():
            return "the gateway is stopping"
        troubles = [f"worker {slot.number} {slot.problem}" for slot in self._slots if slot.problem is not None]
        return "; ".join(troubles) or None

    async def answer(self, request: Request) -> Answer:
        """Answers the command line."""
        match request:
            case AskReload():
                result = await self._reloader.ask(Asked(request.operator, request.reference))
                return Done(text=result.text) if result.good else NotDone(text=result.text)
            case AskStatus():
                reason = self.not_ready()
                state = "ready" if reason is None else f"not ready: {reason}"
                return Done(text=f"{state}; configuration {self._reloader.configuration.hash[:12]}")
            case AskView():
                return await self._overview.now()
            case Retry() | Hold() | Reroute() | Delete() | Release() | GiveBack() | ShowContent():
                ids = [pick.queue_id for pick in request.picks]
                self._log.info("operator", command=request.kind, queue_ids=ids, operator=request.operator)
                return await self._operate(request)
            case SetMode():
                answer = await self._set_mode(request)
                if isinstance(answer, Done):
                    self._log.warning("mode ordered", **asdict(request))
                else:
                    self._log.warning("mode refused", problem=answer.text, **asdict(request))
                return answer
            case _:
                assert_never(request)

    async def _set_mode(self, wanted: SetMode) -> Done | NotDone:
        """By the first worker that answers; what it keeps takes effect in all of them."""
        problem = "no worker is running"
        # Each order is put beside those that were read before it.
        async with self._ordering:
            for slot in self._slots:
                try:
                    answer = await slot.operate(wanted)
                except NoAnswer as error:
                    problem = str(error)
                    continue
                return NotDone(text=answer.problem) if answer.problem else Done(text=_ordered(wanted))
        return NotDone(text=problem)

    async def _operate(self, operation: Operation) -> Answer:
        """Each worker gets what is its own; nothing is begun if some of it is nobody's."""
        parts: dict[Slot, list[Pick]] = {}
        for pick in operation.picks:
            owner = self._owner(pick.queue_id)
            if owner is None:
                return NotDone(text=f"no worker serves the shard of {pick.queue_id} at present; try again in a moment")
            parts.setdefault(owner, []).append(pick)
        try:
            answers = [await slot.operate(replace(operation, picks=tuple(own))) for slot, own in parts.items()]
        except NoAnswer as error:
            return NotDone(text=str(error))
        if problems := [answer.problem for answer in answers if answer.problem]:
            return NotDone(text="\n".join(problems))
        return Changed(recipients=sum(answer.changed for answer in answers))

    def _owner(self, queue_id: str) -> Slot | None:
        """The worker whose shards hold the message: a queue id begins with its shard."""
        shard = shard_of(queue_id)
        return next((slot for slot in self._slots if shard in slot.shards), None)


def _ordered(wanted: SetMode) -> str:
    return f"{in_words(wanted.mode, wanted.rule, wanted.sender, wanted.until)}; every worker heeds it within 5 seconds"
