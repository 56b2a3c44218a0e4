"""A `soak_sink` in a process of its own, so that busy clients do not slow it down; it is always in a good mood."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue

from bench.soak_sink import soak_sink

_EVERY = 0.2


class FarSink:
    """``came`` counts messages by number, as far as was heard by the last `look`."""

    def __init__(self, port: int, told: SimpleQueue[Counter[int]]) -> None:
        self.port = port
        self.came: Counter[int] = Counter()
        self._told = told

    def look(self) -> Counter[int]:
        """What has come until now."""
        while not self._told.empty():
            self.came.update(self._told.get())
        return self.came


@contextmanager
def far_sink() -> Generator[FarSink]:
    """Starts it on a free port, and ends it."""
    context = multiprocessing.get_context("spawn")
    ports: SimpleQueue[int] = context.SimpleQueue()
    told: SimpleQueue[Counter[int]] = context.SimpleQueue()
    process = context.Process(target=_serve, args=(ports, told), daemon=True)
    process.start()
    try:
        yield FarSink(ports.get(), told)
    finally:
        process.kill()
        process.join()


def _serve(ports: SimpleQueue[int], tell: SimpleQueue[Counter[int]]) -> None:
    asyncio.run(_tell(ports, tell))


async def _tell(ports: SimpleQueue[int], tell: SimpleQueue[Counter[int]]) -> None:
    async with soak_sink() as sink:
        ports.put(sink.port)
        while True:
            await asyncio.sleep(_EVERY)
            came, sink.came = sink.came, Counter()
            tell.put(came)
