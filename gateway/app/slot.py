"""One worker slot: executes its worker, hands it its configuration, hears from it, and replaces it when it dies.

The slot's sockets and number outlive its processes. A worker is told to stop by a message, and stops by itself when
its pipe to us closes, whatever ended us.
"""

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from pydantic import ValidationError

from gateway.app.frames import MAX_ANSWER, FrameError, frame, read_frame
from gateway.app.messages import (
    FROM_WORKER,
    TO_WORKER,
    FromWorker,
    Health,
    NotReloaded,
    Operate,
    Operated,
    Operation,
    Reload,
    Running,
    SetMode,
    Start,
    Stop,
    ToWorker,
)
from gateway.app.source import Configuration
from gateway.telemetry.log import Log

WORKER: Final = (sys.executable, "-P", "-m", "gateway.app.worker")
"""The installed package and not a folder of that name where we happen to stand (-P)."""

DESK: Final = (sys.executable, "-P", "-m", "gateway.app.desk")
"""The page where held mail is released: it speaks with the supervisor like a worker, and has one socket."""

PORTAL: Final = (sys.executable, "-P", "-m", "gateway.app.portal")
"""The pages where sealed messages are opened, likewise."""

AUDIT: Final = (sys.executable, "-P", "-m", "gateway.app.audit")
"""What exports the audit; it has no socket."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a replacement: doubled each time, from the beginning again after a worker that lasted a minute."""
_LASTED: Final = 60.0

SILENCE: Final = timedelta(seconds=60)
"""A worker that runs and says nothing for so long hangs, and is killed (it reports every few seconds)."""

STARTING: Final = timedelta(minutes=10)
"""A worker may have a large log to fold back into its spool before it can say anything."""

ANSWER_WITHIN: Final = timedelta(seconds=30)
"""For a reload."""

OPERATE_WITHIN: Final = timedelta(seconds=100)
"""For an operation, which may be about every message of a queue."""

_SEND_WITHIN: Final = 10.0
"""Seconds for a worker to take a message from its pipe."""

_KILL_AFTER: Final = 5.0
"""Seconds that a stopping worker gets beyond its grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPlan:
    """What a slot is made of. ``up`` and ``died`` tell the supervisor that a worker came up, or died."""

    number: int
    slots: int
    sockets: tuple[socket.socket, ...]
    environment: Mapping[str, str]
    command: tuple[str, ...] = WORKER
    up: Callable[[int], None]
    died: Callable[[int], None]


class NoAnswer(Exception):
    """The worker is not there, or did not answer in time; the text is a sentence for the operator."""


class Slot:
    """One worker and its successors."""

    def __init__(self, plan: SlotPlan, configuration: Configuration, log: Log) -> None:
        self.number = plan.number
        self.shards: tuple[int, ...] = ()
        self._plan = plan
        self._wanted = configuration
        self._log = log.bind(slot=plan.number)
        self._process: Process | None = None
        self._stop = asyncio.Event()
        self._grace = 0.0
        self._running: str | None = None
        self._absent = "has not started yet"
        self._why = ""
        self._sick: str | None = None
        self._reloading: asyncio.Future[str | None] | None = None
        self._operations: dict[int, asyncio.Future[Operated]] = {}
        self._count = 0

    async def keep(self) -> None:
        """Keeps a worker running until `stop`; returns when the last one has ended."""
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            code = await self._run_one()
            self._plan.died(self.number)
            if self._stop.is_set():
                return
            pause = FIRST_PAUSE if loop.time() - began > _LASTED else min(pause * 2, LONGEST_PAUSE)
            self._log.error("worker died", code=code, pause=pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()

    async def _run_one(self) -> int:
        """One process from its execution to its end; returns its exit code, negative for a signal."""
        heard, speaks = os.pipe()
        descriptors = tuple(sock.fileno() for sock in self._plan.sockets)
        try:
            process = await asyncio.create_subprocess_exec(
                *(*self._plan.command, "--slot", str(self.number), "--answers", str(speaks)),
                stdin=PIPE,
                pass_fds=(speaks, *descriptors),
                env=self._plan.environment,
                # Ctrl-C on a terminal goes to the whole group, and would break a worker that is still importing.
                start_new_session=True,
            )
        except OSError as error:
            os.close(heard)
            self._log.error("worker not started", reason=error.strerror)
            return -1
        finally:
            os.close(speaks)
        self._process = process
        start = Start(slots=self._plan.slots, listeners=descriptors, bundle=self._wanted.bundle)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(heard, process))
                stopping = tasks.create_task(self._end(process))
                await self._send(start)
                await process.wait()
                stopping.cancel()
        finally:
            self._forget(process)
        return process.returncode if process.returncode is not None else -1

    async def _end(self, process: Process) -> None:
        """Waits for `stop`, then sees to it that the process ends."""
        await self._stop.wait()
        await self._send(Stop(grace=self._grace))
        await asyncio.sleep(self._grace + _KILL_AFTER)
        self._log.error("worker killed", reason="it did not stop in time")
        _kill(process)

    def _forget(self, process: Process) -> None:
        _kill(process)
        self._process = None
        self._running = None
        self.shards = ()
        self._absent = f"cannot start: {self._why}" if self._why else "is being replaced"
        self._why = ""
        for waiting in (self._reloading, *self._operations.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(NoAnswer(f"worker {self.number} died before it answered"))

    async def _listen(self, heard: int, process: Process) -> None:
        """Takes in what the worker says until it closes its end; kills one that hangs or talks nonsense."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(heard, "rb", 0)
        )
        try:
            while await self._hear_one(reader):
                pass
        except (FrameError, ValidationError, TimeoutError) as error:
            self._log.error("worker killed", reason=f"it stopped making sense: {type(error).__name__}")
            _kill(process)
        finally:
            transport.close()

    async def _hear_one(self, reader: asyncio.StreamReader) -> bool:
        patience = SILENCE if self.running else STARTING
        async with asyncio.timeout(patience.total_seconds()):
            payload = await read_frame(reader, MAX_ANSWER)
        if payload is None:
            return False
        await self._take(FROM_WORKER.validate_json(payload))
        return True

    async def _take(self, message: FromWorker) -> None:
        match message:
            case Running():
                await self._is_running(message.hash)
            case NotReloaded():
                self._is_not_reloaded(message)
            case Health():
                self.shards = message.shards
                self._sick = message.problem
            case Operated():
                waiting = self._operations.get(message.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case _:
                assert_never(message)

    async def _is_running(self, configuration: str) -> None:
        came_up, self._running = self._running is None, configuration
        if came_up:
            self._plan.up(self.number)
        self._settle_reload(configuration, None)
        if configuration != self._wanted.hash and self._reloading is None:
            # It was started with what was in force before a reload that it missed.
            await self._send(Reload(bundle=self._wanted.bundle))

    def _is_not_reloaded(self, message: NotReloaded) -> None:
        if self.running:
            self._settle_reload(message.hash, message.reason)
        else:
            self._why = message.reason
            self._log.error("worker cannot start", reason=message.reason)

    def _settle_reload(self, configuration: str, reason: str | None) -> None:
        if self._reloading is not None and not self._reloading.done() and configuration == self._wanted.hash:
            self._reloading.set_result(reason)

    @property
    def running(self) -> bool:
        """Whether a worker runs with a configuration."""
        return self._running is not None

    @property
    def problem(self) -> str | None:
        """Why this slot takes no mail, as the end of a sentence about the worker; None when it does."""
        return self._sick if self.running else self._absent

    async def reload(self, configuration: Configuration) -> str | None:
        """Hands a configuration over; returns why it was not taken, None when it was, or will be by the next worker."""
        self._wanted = configuration
        if not self.running:
            return None
        self._reloading = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                await self._send(Reload(bundle=configuration.bundle))
                return await self._reloading
        except TimeoutError:
            return "it did not answer in time"
        except NoAnswer:
            return None
        finally:
            self._reloading = None

    async def operate(self, operation: Operation | SetMode) -> Operated:
        """Has the worker change its queue, or a mode. Raises NoAnswer."""
        if not self.running:
            raise NoAnswer(f"worker {self.number} {self.problem}; try again in a moment")
        self._count += 1
        number = self._count
        self._operations[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(OPERATE_WITHIN.total_seconds()):
                await self._send(Operate(number=number, operation=operation))
                return await self._operations[number]
        except TimeoutError as error:
            raise NoAnswer(f"worker {self.number} did not answer in time") from error
        finally:
            del self._operations[number]

    def stop(self, grace: float) -> None:
        """Ends the worker, within ``grace`` seconds and a little, and starts no other; `keep` returns then."""
        self._grace = grace
        self._stop.set()

    async def _send(self, message: ToWorker) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        # A worker that died or hangs takes nothing more; either is noticed where it is waited for.
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_SEND_WITHIN):
                process.stdin.write(frame(TO_WORKER.dump_json(message)))
                await process.stdin.drain()


def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
