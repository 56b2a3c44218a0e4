"""What people do at the portal, as fast as they are told to: readers who go all the way, and unlocks alone.

A process of its own (`python -m bench.portal_load`), which also takes the letters that the gateway writes to them; it
speaks in lines of JSON. Left out on purpose: a browser; of each page only what the next request needs is read.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiosmtpd.smtp import Envelope

from bench.portal_line import MIB, Line, line
from bench.smtp_probe import taking

READERS = 50
AGAIN = 5.0
"""Seconds from one letter that somebody reads to their next."""
_AT_ONCE = 64
_CODE = re.compile(rb"^\s*(\d{8})\s*$", re.MULTILINE)
_PROOF = re.compile(rb'name="proof" value="([^"]+)"')


class Link(NamedTuple):
    """A reader's; ``passphrase`` is empty where a code is sent."""

    address: str
    token: str
    passphrase: str


@dataclass
class Letters:
    """Those that came, and the codes in them by address."""

    count: int = 0
    _codes: dict[str, asyncio.Future[str]] = field(default_factory=dict[str, "asyncio.Future[str]"])

    def took(self, mail: Envelope) -> None:
        """Any letter."""
        self.count += 1
        assert isinstance(mail.content, bytes)
        found = _CODE.search(mail.content.replace(b"\r", b""))
        waiting = self._codes.get(mail.rcpt_tos[0])
        if found is not None and waiting is not None and not waiting.done():
            waiting.set_result(found[1].decode())

    def expect(self, address: str) -> asyncio.Future[str]:
        """The next code for somebody."""
        self._codes[address] = asyncio.get_running_loop().create_future()
        return self._codes[address]


@dataclass(kw_only=True)
class Crowd:
    """``port`` is the portal's. ``seconds`` are what things took, ``failed`` what went wrong, by its words."""

    port: int
    letters: Letters
    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    failed: Counter[str] = field(default_factory=Counter[str])

    async def _timed(self, name: str, work: Awaitable[None]) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(30):
                await work
        except (RuntimeError, OSError, EOFError) as error:
            self.failed[f"{name}: {error!r}"] += 1
            return
        self.seconds.setdefault(name, []).append(time.monotonic() - start)

    async def read(self, links: Sequence[Link], until: float) -> None:
        """All readers, each with one letter after the other until then; they begin one after the other, too."""
        left = iter(enumerate(links, start=10_000))

        async def one(delay: float) -> None:
            await asyncio.sleep(delay)
            while (begin := time.monotonic()) < until:
                await self._timed("reader", self._go_all_the_way(*next(left)))
                await asyncio.sleep(max(0, begin + AGAIN - time.monotonic()))

        async with asyncio.TaskGroup() as tasks:
            for number in range(READERS):
                tasks.create_task(one(number * AGAIN / READERS))

    async def _go_all_the_way(self, number: int, link: Link) -> None:
        code = self.letters.expect(link.address)
        async with line(self.port) as to:
            to.visitor = number
            proof = _proof(await to.get(f"/m/{link.token}"))
            await to.post(f"/m/{link.token}/code", proof=proof)
            to.hang_up()
            await to.post(f"/m/{link.token}/open", proof=proof, secret=await code, who="Bob")
            home = to.led.decode()
            await to.get(home)
            assert len(await to.get(f"{home}/part/1")) == MIB

    async def look(self, links: Sequence[Link]) -> list[str]:
        """What each of their forms has to carry; each is opened once, so that the first opening is behind them."""
        async with line(self.port) as to:
            proofs: list[str] = []
            for to.visitor, link in enumerate(links):
                proofs.append(_proof(await to.get(f"/m/{link.token}")))
                await self._open(to, link, proofs[-1])
        return proofs

    async def unlock(self, links: Sequence[Link], proofs: Sequence[str], rate: float, until: float) -> None:
        """So many in a second, each link in its turn; fewer while too many are under way."""
        turns, numbers = itertools.cycle(enumerate(zip(links, proofs, strict=True))), itertools.count()
        start = time.monotonic()

        async def one() -> None:
            async with line(self.port) as to:
                while max(at := start + next(numbers) / rate, time.monotonic()) < until:
                    await asyncio.sleep(max(0, at - time.monotonic()))
                    to.visitor, (link, proof) = next(turns)
                    await self._timed("unlock", self._open(to, link, proof))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(one())

    async def _open(self, to: Line, link: Link, proof: str) -> None:
        to.cookie = b""
        await to.post(f"/m/{link.token}/open", proof=proof, secret=link.passphrase, who="Bob")


def _proof(page: bytes) -> str:
    found = _PROOF.search(page)
    assert found is not None
    return found[1].decode()


class Asked(NamedTuple):
    """``readers`` and ``unlockers`` are links; ``rate`` unlocks in a second are wanted."""

    port: int
    readers: Sequence[Sequence[str]]
    unlockers: Sequence[Sequence[str]]
    rate: float
    seconds: float


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


async def _heard() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


async def main() -> None:
    """Says its port for letters; is told what to do; says that it could begin; begins; and says how it was."""
    letters = Letters()
    async with taking(letters.took) as port:
        _say(port)
        asked = Asked(*json.loads(await _heard()))
        readers, unlockers = [Link(*each) for each in asked.readers], [Link(*each) for each in asked.unlockers]
        crowd = Crowd(port=asked.port, letters=letters)
        proofs = await crowd.look(unlockers)
        # Each has a notification, and the sender hears of each opening that was a first.
        async with asyncio.timeout(60):
            while letters.count < len(readers) + 2 * len(unlockers):
                await asyncio.sleep(0.1)
        _say(letters.count)
        await _heard()
        until = time.monotonic() + asked.seconds
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(crowd.read(readers, until))
            tasks.create_task(crowd.unlock(unlockers, proofs, asked.rate, until))
        _say({"seconds": crowd.seconds, "failed": crowd.failed})


if __name__ == "__main__":
    asyncio.run(main())
