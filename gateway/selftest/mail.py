"""The messages of a self-test: made of nothing but a marker, decided by the installed policy, and kept in its spool.

Level, button and automatic are set where a client's label would have been read; all else is what acceptance does.
"""

import secrets
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from gateway.config.trial.what_if import envelope
from gateway.core.address import Address
from gateway.core.arrival import read_arrival
from gateway.core.classify import gather
from gateway.core.decision import Decision, Held, Refused, Routed, asked_for
from gateway.core.facts import Classification, Facts, Intent
from gateway.core.policy import Policy
from gateway.core.record import QueueId
from gateway.core.scan import Scanner
from gateway.core.tls import Protection
from gateway.flow.ports import SpoolError
from gateway.flow.release import release
from gateway.flow.rulings import Rulings, rule
from gateway.flow.taking import Taking
from gateway.selftest.engine import Engine
from gateway.selftest.fault import Trap

MARK: Final = "selftest-"
"""Every marker begins so."""

_WHO: Final = "self-test"
_WHY: Final = "self-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of mail: what the sender said of it."""

    level: str
    intent: Intent
    automatic: bool

    def __str__(self) -> str:
        button = f" with the {self.intent.label.capitalize()} button" if self.intent else ""
        return f"{'automatic ' if self.automatic else ''}{self.level} mail{button}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that was handed to the gateway, and what it demands from then on.

    ``queue_id`` is None where it was not taken: the policy refuses it, or the spool could not keep it (``kept``).
    """

    marker: str
    trap: Trap
    kind: Kind
    floor: Protection
    refused: bool
    queue_id: QueueId | None

    @property
    def kept(self) -> bool:
        """Whether the gateway took responsibility for it."""
        return self.queue_id is not None


def kinds(policy: Policy) -> Iterator[Kind]:
    """Every level with every button, and as automatic mail."""
    for level, intent in product(policy.reading.levels, Intent):
        yield Kind(level=level, intent=intent, automatic=False)
    for level in policy.reading.levels:
        yield Kind(level=level, intent=Intent.NONE, automatic=True)


async def send_all(engine: Engine, trap: Trap, *, controls: bool = False) -> AsyncGenerator[Sent]:
    """One message of every kind that is decided differently; those that demand nothing only as ``controls``."""
    seen: set[tuple[str, type[Decision], tuple[str, ...], Protection]] = set()
    policy = engine.line.shared.book.current
    for kind in kinds(policy):
        message = _Message(engine, trap, kind)
        decision = await message.decided()
        floor = _demanded(decision, kind, policy)
        key = (kind.level, type(decision), _chain(decision), floor)
        if key not in seen and (floor > Protection.NONE or controls):
            seen.add(key)
            yield await message.sent(floor)


def _chain(decision: Decision) -> tuple[str, ...]:
    return decision.chain if isinstance(decision, Routed | Held) else ()


def _demanded(decision: Decision, kind: Kind, policy: Policy) -> Protection:
    """The decision's floor; never less than the level's own, but where the policy says that it is lowered."""
    lowered = decision.floor < asked_for(decision) or (isinstance(decision, Routed) and decision.instead is not None)
    return decision.floor if lowered else max(decision.floor, policy.floors.get(kind.level, Protection.SEALED))


class _Message:
    def __init__(self, engine: Engine, trap: Trap, kind: Kind) -> None:
        self._engine = engine
        self._shared = engine.line.shared
        self._trap = trap
        self._kind = kind
        self._marker = f"{MARK}{secrets.token_hex(16)}"
        policy = self._shared.book.current
        self._sender = Address(_WHO, min(policy.organisation.domains))
        self._envelope = envelope(self._sender, [Address(kind.level.lower(), trap.domain)])
        self._content = self._made()
        scanner = Scanner(text_bytes=policy.text_bytes)
        scanner.feed(self._content)
        self._scan = scanner.close()
        self._rulings: Rulings | None = None

    def _made(self) -> bytes:
        to = self._envelope.recipients[0].address
        lines = (
            f"From: {self._sender}",
            f"To: {to}",
            f"Subject: {self._marker}",
            # Reports name the message by this, so it is no marker.
            f"Message-ID: <{secrets.token_hex(16)}@{self._sender.domain}>",
            *(("Auto-Submitted: auto-replied",) if self._kind.automatic else ()),
            "",
            self._marker,
            "",
        )
        return "\r\n".join(lines).encode()

    async def decided(self) -> Decision:
        """What the policy, with what can be looked up in this world, says of it."""
        shared = self._shared
        addresses = [recipient.address for recipient in self._envelope.recipients]
        policy, wait = shared.book.current, shared.queue.door_wait
        self._rulings = await rule(
            self._facts(policy), addresses, policy, shared.lookups, wait, rollouts=shared.rollouts()
        )
        return self._rulings.decisions[0]

    def _facts(self, policy: Policy) -> Facts:
        facts = gather(self._scan, self._envelope, policy, self._shared.clock.now(), self._shared.system.hop_key)
        level = Classification(level=self._kind.level, source=_WHY)
        return replace(facts, classification=level, intent=self._kind.intent, intent_source=_WHY)

    async def sent(self, floor: Protection) -> Sent:
        """Hands it over; a held one is released, as a person may."""
        rulings = self._rulings
        if rulings is None:
            raise ValueError("it is decided before it is sent")
        refused = isinstance(rulings.decisions[0], Refused)
        queue_id = None if refused else await self._taken(rulings)
        return Sent(
            marker=self._marker, trap=self._trap, kind=self._kind, floor=floor, refused=refused, queue_id=queue_id
        )

    async def _taken(self, rulings: Rulings) -> QueueId | None:
        shared, spool = self._shared, self._engine.spool
        taking = Taking(
            spool=spool,
            shared=shared,
            edition=shared.book.edition,
            envelope=self._envelope,
            on_commit=self._engine.line.dispatch.committed,
        )
        arrival = read_arrival(self._scan, (), shared.system.hop_key)
        try:
            body = spool.bodies.writer()
            body.write(self._content)
            message = taking.message(self._scan, arrival, rulings.facts, await body.finish(), "")
            await taking.keep(message, rulings, "")
        except SpoolError:
            return None
        if isinstance(rulings.decisions[0], Held):
            await spool.operate(message.queue_id, None, release(_WHO, shared.planner, shared.clock.now()))
            self._engine.line.dispatch.wake()
        return message.queue_id
