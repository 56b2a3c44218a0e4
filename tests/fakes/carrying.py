"""A transport that does as it is told and remembers every delivery, and the small parts that the flow also needs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from gateway.core.facts import Lookup, Missing, OutsideFact
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Proof, Remote
from gateway.core.reply import Status, reply
from gateway.core.tls import Channel, Evidence
from gateway.flow.ports import Clock, Delivery, Target

TLS = Evidence(
    mx_host="mx.tls.example",
    address="192.0.2.1",
    port=25,
    tls_version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    chain_digest="ab" * 32,
    channel=Channel.PKIX,
    how="certificate checked",
    demanded_by="the test",
)
CLEAR = Evidence(mx_host="mx.plain.example", address="192.0.2.2", port=25, how="no TLS", demanded_by="the test")
TAKEN = Remote(host="mx.tls.example", reply=reply(250, "2.0.0", "taken"))

DELIVERED = Delivered(remote=TAKEN, evidence=TLS)
IN_CLEAR = Delivered(remote=TAKEN, evidence=CLEAR)
NO_STARTTLS = Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="No host of it offers STARTTLS.")
UNKNOWN_USER = Failed(
    status=Status(5, 1, 1),
    detail="refused",
    remote=Remote(host="mx.tls.example", reply=reply(550, "5.1.1", "no such user")),
)


def deferred(cause: Cause, *, handshake_failed: bool = False) -> Deferred:
    """A deferral of that cause, with a status that fits."""
    status = {Cause.PROTECTION: Status(4, 7, 5), Cause.REPLY_4XX: Status(4, 2, 0)}.get(cause, Status(4, 4, 1))
    return Deferred(cause=cause, status=status, detail=f"It was {cause}.", handshake_failed=handshake_failed)


Script = Callable[[Delivery, Target, datetime], Outcome | None]


@dataclass
class ScriptedTransport:
    """``script`` says what comes of each target; None leaves it out of the answer. ``gate`` holds deliveries back.

    With ``silent`` it holds those alone that go to these domains.
    """

    clock: Clock
    script: Script = lambda delivery, target, now: DELIVERED
    host: str | None = None
    deliveries: list[tuple[datetime, Delivery]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    silent: frozenset[str] | None = None
    active: int = 0
    most_active: int = 0
    closed: bool = False

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        assert not self.closed
        self.deliveries.append((self.clock.now(), delivery))
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            if self.gate is not None and (self.silent is None or delivery.destination in self.silent):
                await self.gate.wait()
            outcomes = {t.number: self.script(delivery, t, self.clock.now()) for t in delivery.targets}
        finally:
            self.active -= 1
        return {number: outcome for number, outcome in outcomes.items() if outcome is not None}

    def next_hop(self, domain: str) -> str:
        return self.host or domain

    async def aclose(self) -> None:
        self.closed = True

    @property
    def carried(self) -> list[str]:
        """Every recipient of every delivery, in order."""
        return [str(t.recipient.address) for _, delivery in self.deliveries for t in delivery.targets]


@dataclass
class Ids:
    """1, 2, 3."""

    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def new(self) -> str:
        return f"id-{next(self.numbers)}"


@dataclass
class FixedJitter:
    """Always the same factor, and not 1, so that its use shows."""

    value: float = 1.1

    def factor(self) -> float:
        return self.value


@dataclass
class TableLookups:
    """Answers from a table; what it lacks is Missing. Remembers what it was asked and how long it might take."""

    table: dict[tuple[Lookup, str], OutsideFact] = field(default_factory=dict)
    asked: list[tuple[frozenset[tuple[Lookup, str]], timedelta]] = field(default_factory=list)

    async def look_up(
        self, wanted: frozenset[tuple[Lookup, str]], wait: timedelta
    ) -> Mapping[tuple[Lookup, str], OutsideFact]:
        self.asked.append((wanted, wait))
        return {need: self.table.get(need, Missing("no answer in time")) for need in wanted}
