"""`python -m bench.overload`: 2,000 clients hold on to their connections, and mail comes at ten times what can be done.

Calm and storm tell: all that was accepted is delivered, memory stays where it was, a client that behaves
gets its mail through, and afterwards everything is as before. Half of the crowd may not relay at all. The clients and
the host behind take their share of the same cores.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.far_sink import FarSink, far_sink
from bench.load import free_port
from bench.measure import memory_bytes
from bench.overload_clients import Habit, Outcome, Pace, Sent, attempt, closed_loop, good_client, hold, open_loop
from bench.peers import CONFIG, POLICY, gateway

MIB = 1024 * 1024
_WORKERS = 2
_CALM = 10.0
_ALIKE = 3.0
"""A reply is normal again when it takes no longer than so many times the median of before."""
_PATIENCE = 600.0
_EVERYBODY, _OURS = '["127.0.0.0/8"]', '["127.0.0.0/16"]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``crowd`` connections are held while ``times`` the sustainable rate is offered for ``seconds``."""

    crowd: int = 2000
    times: float = 10.0
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What happened in ``seconds``; ``memory`` is the gateway's at most, in bytes."""

    name: str
    seconds: float
    outcomes: Counter[Outcome]
    waits: tuple[float, ...]
    delivered: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``held`` is how many of the crowd had a connection at most; ``normal`` and ``emptied`` are seconds after it.

    ``begun`` of the tries that were ``wanted`` is what the machine could play, in tries a second of the storm.
    """

    phases: tuple[Phase, ...]
    tries: Counter[int]
    held: int
    wanted: float
    begun: float
    normal: float
    emptied: float
    lost: int
    again: int


class Watch:
    """Cuts what happens into phases."""

    def __init__(self, pid: int, sink: FarSink, sent: Sent) -> None:
        self._pid = pid
        self.sink = sink
        self.sent = sent
        self.phases: list[Phase] = []
        self.peak = 0

    async def sample(self) -> None:
        """Looks at the memory, for ever."""
        while True:
            self.peak = max(self.peak, await asyncio.to_thread(memory_bytes, self._pid))
            await asyncio.sleep(0.5)

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncGenerator[None]:
        """What happens inside is one."""
        sent, begin = self.sent, time.monotonic()
        outcomes, waits, came = Counter(sent.outcomes), len(sent.waits), self.sink.look().total()
        self.peak = await asyncio.to_thread(memory_bytes, self._pid)
        yield
        phase = Phase(
            name=name,
            seconds=time.monotonic() - begin,
            outcomes=sent.outcomes - outcomes,
            waits=tuple(sent.waits[waits:]),
            delivered=self.sink.look().total() - came,
            memory=self.peak,
        )
        self.phases.append(phase)


async def overload(plan: Plan) -> Found:
    """Calm, storm, and what follows."""
    with far_sink() as sink:
        async with _relay(sink.port) as (port, pid), _running() as start:
            watch = Watch(pid, sink, Sent())
            start(watch.sample())
            return await _through(plan, port, watch)


async def _through(plan: Plan, port: int, watch: Watch) -> Found:
    sent, sink, held = watch.sent, watch.sink, _Held(set())
    good, tries_of_good = Sent(numbers=itertools.count(10**9)), Counter[int]()
    async with watch.phase("calm"):
        await _calm(port, sent, _CALM)
    calm = watch.phases[0]
    async with asyncio.TaskGroup() as tries:
        async with _running() as start_crowd, watch.phase("storm"):
            for number in range(plan.crowd):
                start_crowd(hold(port, _of_the_crowd(number), _habit(number), held.now, number))
            start_crowd(held.look())
            start_crowd(good_client(port, "127.0.3.1", good, tries_of_good))
            rate = plan.times * calm.outcomes[Outcome.ACCEPTED] / calm.seconds
            pace = Pace(addresses=_addresses("127.0.1", 50), rate=rate, seconds=plan.seconds)
            begun = await open_loop(tries, port, sent, pace)
        over = time.monotonic()
        async with watch.phase("until replies are normal"):
            await _until(lambda: _is_normal(port, sent, calm))
        normal = time.monotonic() - over
    async with watch.phase("emptying the queue"):
        acknowledged = sent.acknowledged | good.acknowledged
        await _until(lambda: _all_came(acknowledged, sink))
    emptied = time.monotonic() - over
    async with watch.phase("calm again"):
        await _calm(port, sent, _CALM)
    acknowledged = sent.acknowledged | good.acknowledged
    await _until(lambda: _all_came(acknowledged, sink))
    return Found(
        phases=tuple(watch.phases),
        tries=tries_of_good,
        held=held.most,
        wanted=rate,
        begun=begun / plan.seconds,
        normal=normal,
        emptied=emptied,
        lost=len(acknowledged - set(sink.came)),
        again=sum(count - 1 for count in sink.came.values()),
    )


@dataclass(slots=True)
class _Held:
    """Who of the crowd has a connection now, and how many had one at most."""

    now: set[int]
    most: int = 0

    async def look(self) -> None:
        while True:
            self.most = max(self.most, len(self.now))
            await asyncio.sleep(0.1)


async def _calm(port: int, sent: Sent, seconds: float) -> None:
    """What can be done: twenty clients that take turns."""
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(closed_loop(port, _addresses("127.0.1", 50), sent, seconds))


async def _is_normal(port: int, sent: Sent, calm: Phase) -> bool:
    outcome = await attempt(port, "127.0.1.1", sent)
    return outcome is Outcome.ACCEPTED and sent.waits[-1] <= _ALIKE * statistics.median(calm.waits)


async def _all_came(acknowledged: set[int], sink: FarSink) -> bool:
    return acknowledged <= sink.look().keys()


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it, with patience; what has not come true by then is in the figures."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while not await true():
                await asyncio.sleep(0.2)


@asynccontextmanager
async def _running() -> AsyncGenerator[Callable[[Coroutine[None, None, None]], None]]:
    """Takes what runs for ever, and ends it."""
    async with asyncio.TaskGroup() as tasks:
        started: list[asyncio.Task[None]] = []
        yield lambda work: started.append(tasks.create_task(work))
        for task in started:
            task.cancel()


@asynccontextmanager
async def _relay(sink: int) -> AsyncGenerator[tuple[int, int]]:
    """The gateway's port and process. It admits 127.0.0.0/16, so that there can be strangers."""
    root, port = Path(tempfile.mkdtemp(prefix="sealpost-overload-")), free_port()
    config = CONFIG.format(workers=_WORKERS, port=port, admin=free_port(), dns=free_port(), root=root, sink=sink)
    relay = gateway(root, config.replace(_EVERYBODY, _OURS), POLICY, port)
    try:
        pid = await asyncio.to_thread(relay.__enter__)
        try:
            yield port, pid
        finally:
            await asyncio.to_thread(relay.__exit__, None, None, None)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _addresses(network: str, count: int) -> Iterator[str]:
    return itertools.cycle([f"{network}.{number}" for number in range(1, count + 1)])


def _of_the_crowd(number: int) -> str:
    """Strangers and our own in turn, from twenty addresses each."""
    return f"127.{9 * (number % 2)}.2.{number % 40 // 2 + 1}"


def _habit(number: int) -> Habit:
    """Strangers are idle or slow with commands, our own are slow with content too."""
    return (Habit.IDLE, Habit.IDLE, Habit.COMMANDS, Habit.CONTENT)[
        number // 2 % 4 if number % 2 == 0 else number // 2 % 3
    ]


def _rate(count: int, phase: Phase) -> str:
    return f"{count / phase.seconds:.0f}"


def _milliseconds(waits: Sequence[float]) -> str:
    if len(waits) < 2:
        return "-"
    cuts = statistics.quantiles(waits, n=100)
    return f"{1000 * cuts[49]:.0f} / {1000 * cuts[98]:.0f}"


def show(plan: Plan, found: Found) -> None:
    """The table and what it comes to."""
    table = Table(title=f"{os.cpu_count()} cores, {_WORKERS} workers, clients and host beside them")
    for column in ("", "s", "tries/s", "250/s", "421/s", "452/s", "other/s", "delivered/s", "250 ms p50 / p99", "MiB"):
        table.add_column(column, justify="right" if column else "left")
    for phase in found.phases:
        counts = phase.outcomes
        other = counts[Outcome.LATER] + counts[Outcome.BROKEN]
        several = [counts.total(), *(counts[o] for o in (Outcome.ACCEPTED, Outcome.BUSY, Outcome.NO_ROOM)), other]
        rates = [_rate(count, phase) for count in (*several, phase.delivered)]
        cells = [phase.name, f"{phase.seconds:.0f}", *rates, _milliseconds(phase.waits), f"{phase.memory / MIB:.0f}"]
        table.add_row(*cells)
    console = Console(width=140)
    console.print(table)
    tries = ", ".join(f"{count} x {number}" for number, count in sorted(found.tries.items()))
    sustained = found.wanted / plan.times
    console.print(
        f"{found.wanted:.0f} tries/s wanted in the storm ({plan.times:g} x the calm), "
        f"{found.begun:.0f} begun ({found.begun / sustained:.1f} x)"
    )
    console.print(f"{found.held} of a crowd of {plan.crowd} had a connection at most")
    console.print(f"tries that each message of a client took that sends one a second: {tries or 'none was taken'}")
    console.print(f"a normal reply {found.normal:.1f} s after the storm, all delivered after {found.emptied:.1f} s")
    console.print(f"{found.lost} of what was acknowledged never came, {found.again} came more than once")


def main() -> None:
    """Measures it, and ends with 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="overload", description=__doc__)
    parser.add_argument("--crowd", type=int, default=2000)
    parser.add_argument("--times", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plan = Plan(crowd=given.crowd, times=given.times, seconds=given.seconds)
    found = uvloop.run(overload(plan))
    show(plan, found)
    sys.exit(bool(found.lost))


if __name__ == "__main__":
    main()
