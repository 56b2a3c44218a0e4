"""`make soak MESSAGES=…`: mail through a churning world, workers killed and the policy reloaded, counted at the end.

What was acknowledged has to arrive; what was not may. Left out on purpose: Postfix beside it, and figures of speed.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import RECIPIENT, SENDER, free_port
from bench.measure import family, memory_bytes
from bench.peers import CONFIG, POLICY, gateway, with_sealed_bodies
from bench.soak_sink import NUMBER, SoakSink, soak_sink

MIB = 1024 * 1024
_IMPATIENT = '[queue]\nretry_min = "1s"\nretry_max = "4s"\n'
_PATIENCE = 60.0
_BODY = (b"x" * 76 + b"\r\n") * 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``kills`` and ``reloads`` are spread over the messages; ``mood`` is how many seconds the host stays the same.

    ``patience`` is how many seconds what was acknowledged may take after the last message.
    """

    messages: int
    sessions: int = 20
    workers: int = 2
    kills: int = 0
    reloads: int = 0
    mood: float = 2.0
    patience: float = 600.0


@dataclass(slots=True)
class Soak:
    """What happened. ``memory`` is the gateway's in bytes, from a twentieth of the messages on, and at the end."""

    plan: Plan
    acknowledged: set[int] = field(default_factory=set[int])
    broken_off: int = 0
    killed: int = 0
    reloaded: int = 0
    seconds: float = 0.0
    memory: list[int] = field(default_factory=list[int])

    def lost(self, sink: SoakSink) -> set[int]:
        """Acknowledged, and never come."""
        return self.acknowledged - set(sink.came)


async def soak(plan: Plan) -> tuple[Soak, SoakSink]:
    """Runs it, and waits for what was acknowledged until ``patience`` is over."""
    done, begin = Soak(plan), time.monotonic()
    async with soak_sink() as sink, _relay(plan, sink.port) as (port, pid):
        numbers = iter(range(plan.messages))
        changing = asyncio.create_task(sink.change(plan.mood))
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(plan.sessions):
                    tasks.create_task(_send(port, numbers, done))
                tasks.create_task(_trouble(pid, done))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(plan.patience):
                    while done.lost(sink):
                        await asyncio.sleep(0.2)
        finally:
            changing.cancel()
        done.memory.append(memory_bytes(pid))
    done.seconds = time.monotonic() - begin
    return done, sink


@asynccontextmanager
async def _relay(plan: Plan, sink: int) -> AsyncGenerator[tuple[int, int]]:
    """The gateway's port and process."""
    root, port = Path(tempfile.mkdtemp(prefix="sealpost-soak-")), free_port()
    config = CONFIG.format(workers=plan.workers, port=port, admin=free_port(), dns=free_port(), root=root, sink=sink)
    relay = gateway(root, with_sealed_bodies(root, config) + _IMPATIENT, POLICY, port)
    try:
        pid = await asyncio.to_thread(relay.__enter__)
        try:
            yield port, pid
        finally:
            await asyncio.to_thread(relay.__exit__, None, None, None)
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _send(port: int, numbers: Iterator[int], done: Soak) -> None:
    """One client: a message that is not acknowledged is sent again, as a mail system does."""
    number = next(numbers, None)
    while number is not None:
        with contextlib.suppress(OSError, EOFError, TimeoutError, _NotNow):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await _expect(reader, b"220")
                    await _ask(reader, writer, b"EHLO soak.council.example")
                while number is not None:
                    async with asyncio.timeout(_PATIENCE):
                        await _message(reader, writer, number)
                    done.acknowledged.add(number)
                    number = next(numbers, None)
                return
            finally:
                writer.close()
        done.broken_off += 1
        await asyncio.sleep(0.05)


class _NotNow(Exception):
    """An answer that is no yes."""


async def _message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    await _ask(reader, writer, f"MAIL FROM:<{SENDER}>".encode())
    await _ask(reader, writer, f"RCPT TO:<{RECIPIENT}>".encode())
    await _ask(reader, writer, b"DATA", b"354")
    head = f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nMessage-ID: <{number}@soak>\r\n{NUMBER}: {number}\r\n\r\n"
    await _ask(reader, writer, head.encode() + _BODY + b".")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: bytes, code: bytes = b"250") -> None:
    writer.write(words + b"\r\n")
    await _expect(reader, code)


async def _expect(reader: asyncio.StreamReader, code: bytes) -> None:
    while (line := await reader.readline())[3:4] == b"-":
        pass
    if not line:
        raise EOFError
    if line[:3] != code:
        raise _NotNow


async def _trouble(pid: int, done: Soak) -> None:
    """Kills and reloads, each at its share of the messages."""
    plan, chance = done.plan, random.Random(1)
    while len(done.acknowledged) < plan.messages:
        share = len(done.acknowledged) / plan.messages
        if share > len(done.memory) / 20 + 0.05:
            done.memory.append(await asyncio.to_thread(memory_bytes, pid))
        if done.killed < plan.kills * share:
            if workers := _workers(pid):
                os.kill(chance.choice(workers), signal.SIGKILL)
                done.killed += 1
        if done.reloaded < plan.reloads * share:
            os.kill(pid, signal.SIGHUP)
            done.reloaded += 1
        await asyncio.sleep(0.05)


def _workers(pid: int) -> list[int]:
    found: list[int] = []
    for member in family(pid)[1:]:
        with contextlib.suppress(OSError):
            if b"gateway.app.worker" in Path(f"/proc/{member}/cmdline").read_bytes():
                found.append(member)
    return found


def main() -> None:
    """Runs it, and ends with 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--reloads", type=int, default=10)
    given = parser.parse_args()
    done, sink = asyncio.run(soak(Plan(messages=given.messages, kills=given.kills, reloads=given.reloads)))
    again = sum(count - 1 for count in sink.came.values())
    memory = ", ".join(f"{size // MIB}" for size in (done.memory[0], max(done.memory), done.memory[-1]))
    print(f"{len(done.acknowledged)} acknowledged, {len(done.lost(sink))} lost, {again} came more than once")
    print(f"{done.killed} workers killed, {done.reloaded} reloads, {done.broken_off} sessions broken off")
    print(f"turned away: {', '.join(f'{mood.name.lower()} {count}' for mood, count in sink.turned_away.items())}")
    print(f"memory when warm, at most, at the end: {memory} MiB; {done.seconds:.0f} s")
    sys.exit(bool(done.lost(sink)))


if __name__ == "__main__":
    main()
