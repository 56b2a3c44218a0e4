"""A gateway from the door to the next hops in one process that is going to die: real spool, real transports, no time.

What it says goes through a pipe, which outlives it: each step, and the queue id once the client has seen its 250.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from unittest.mock import patch

from gateway.core.address import parse_address
from gateway.core.envelope import Envelope, Recipient
from gateway.core.record import Kind
from gateway.core.route import Route
from gateway.flow.accept import Accept, Profile
from gateway.flow.carriers import Carrier, Carriers
from gateway.flow.dispatch import Dispatch
from gateway.flow.history import History
from gateway.flow.options import QueueOptions, Refusals, SystemOptions
from gateway.flow.policies import Edition, PolicyBook
from gateway.flow.ports import SpoolError
from gateway.flow.shared import Shared
from gateway.flow.tls_counts import NoSessions
from gateway.flow.traffic import Contact, Traffic
from gateway.flow.unsigned import NoSigner
from gateway.spool.body_keys import BodyKeys
from gateway.spool.options import SpoolOptions
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from gateway.transports.mx import Mx
from gateway.transports.network import Network, NetworkOptions, SealingTools, build_network
from gateway.transports.smarthost import Smarthost
from tests.crash.steps import Fate, Steps
from tests.fakes.carrying import FixedJitter, Ids, TableLookups
from tests.fakes.clock import SteppedClock
from tests.fakes.events import Heard
from tests.fakes.state import MemoryState
from tests.flow.gate import CLIENT, KEY, MESSAGE, POLICY, ROUTES, SENDER

ACKNOWLEDGED = "acknowledged"
LAST_LINE = b"This is the last line.\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """``to`` is empty where nothing new comes in; ``size`` is that of the body."""

    spool: Path
    network: NetworkOptions
    to: tuple[str, ...] = ()
    size: int = 0
    at: str = ""
    fate: Fate = Fate.DIES
    keys: tuple[bytes, ...] = ()


def message(size: int) -> bytes:
    """With a body of at least that many bytes, whose end tells that nothing is missing."""
    return MESSAGE + b"0123456789 abcdef\r\n" * (size // 19) + LAST_LINE


def live(orders: Orders, pipe: Pipe) -> None:
    """The whole life of the process."""
    steps = Steps(lambda word: pipe.send_bytes(word.encode()), orders.at, orders.fate)
    with patch("gateway.net.dial.connect", steps.connect), suppress(SpoolError):
        asyncio.run(Pipeline(orders, steps).run())


@dataclass(slots=True)
class WatchedTraffic(Traffic):
    """Tells when a delivery has ended, whatever came of it."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, name: str, contact: Contact, now: datetime, lingered: int = 0) -> None:
        # Not super(): a class with slots is made twice.
        Traffic.end(self, name, contact, now, lingered)
        self.ended.set()


class Pipeline:
    """`run` takes the message in, if there is one, and delivers until nothing waits or the disk has failed."""

    def __init__(self, orders: Orders, steps: Steps) -> None:
        self._orders = orders
        self._steps = steps
        self._clock = SteppedClock(datetime.now(UTC))
        self._queue = QueueOptions()
        self._traffic = WatchedTraffic(self._queue)

    async def run(self) -> None:
        spool = await SqliteSpool.open(self._orders.spool, 0, self._parts())
        try:
            await self._work(spool)
        finally:
            await spool.aclose()

    def _parts(self) -> SpoolParts:
        options = SpoolOptions(keys=BodyKeys(self._orders.keys))
        return SpoolParts(clock=self._clock, disk=self._steps.disk, options=options)

    async def _work(self, spool: SqliteSpool) -> None:
        shared, network = self._shared(spool)
        dispatch = Dispatch(spool, shared, self._traffic)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(dispatch.run())
            try:
                await self._take(spool, shared, dispatch)
                async with asyncio.timeout(30):
                    await self._until_nothing_waits(spool, dispatch)
            finally:
                dispatch.stop()
        await network.aclose()

    async def _take(self, spool: SqliteSpool, shared: Shared, dispatch: Dispatch) -> None:
        if self._orders.to:
            recipients = tuple(Recipient(address=parse_address(one)) for one in self._orders.to)
            envelope = Envelope(client=CLIENT, listener="smtp", reverse_path=SENDER, recipients=recipients)
            submission = Accept(spool, shared, dispatch.committed).begin(envelope, Profile("smtp", Refusals.REPORT))
            with suppress(SpoolError):
                submission.write(message(self._orders.size))
                reply = await submission.finish()
                assert reply.code == 250
                self._steps.say(f"{ACKNOWLEDGED} {str(reply).split()[-1]}")

    async def _until_nothing_waits(self, spool: SqliteSpool, dispatch: Dispatch) -> None:
        """Where all that waits is due later, time passes."""
        with suppress(SpoolError):
            while True:
                self._traffic.ended.clear()
                if not self._traffic.active:
                    due = await spool.next_due()
                    if due is None:
                        return
                    if due > self._clock.now():
                        await self._let_pass(due)
                        # It may have asked just before the time it was then told of, and would rest.
                        dispatch.wake()
                        continue
                await self._traffic.ended.wait()

    async def _let_pass(self, until: datetime) -> None:
        await self._clock.advance_to(until)
        while self._traffic.blocked(self._clock.now()) and (later := self._traffic.next_change(self._clock.now())):
            await self._clock.advance_to(later)

    def _shared(self, spool: SqliteSpool) -> tuple[Shared, Network]:
        heard, state = Heard(), MemoryState(self._clock)
        network = build_network(
            self._orders.network,
            bodies=spool.bodies,
            clock=self._clock,
            state=state,
            sessions=NoSessions(),
            sealing=SealingTools(clock=self._clock, signer=NoSigner(), broken=heard.broken, folder=Path("unused")),
        )
        shared = Shared(
            book=PolicyBook(Edition(POLICY, POLICY.hash.encode()), {POLICY.hash.encode(): POLICY}.__getitem__),
            carriers=Carriers({name: Carrier(route, _transport(route, network)) for name, route in ROUTES.items()}),
            lookups=TableLookups(),
            history=History(state, self._clock, KEY, heard),
            state=state,
            system=SystemOptions(
                hostname="gw.council.example", routes={Kind.REPORT: "internal", Kind.NOTICE: "internal"}, hop_key=KEY
            ),
            queue=self._queue,
            clock=self._clock,
            ids=Ids(),
            jitter=FixedJitter(),
            events=heard,
        )
        return shared, network


def _transport(route: Route, network: Network) -> Mx | Smarthost:
    """A route's own host is named as the route is."""
    if route.transport == "mx":
        return Mx(route, Mx.Options(), network)
    return Smarthost(route, Smarthost.Options(host=f"{route.name}.example:{network.options.mx.port}"), network)
