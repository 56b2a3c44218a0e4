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
from gateway.core.envelope import Envelope
from gateway.core.facts import Classification, Intent, Scan
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
        draft = _draft(policy, trap, kind)
        rulings = await _ruled(engine, draft)
        decision = rulings.decisions[0]
        floor = _demanded(decision, kind, policy)
        key = (kind.level, type(decision), _chain(decision), floor)
        if key not in seen and (floor > Protection.NONE or controls):
            seen.add(key)
            refused = isinstance(decision, Refused)
            queue_id = None if refused else await _taken(engine, draft, rulings)
            yield Sent(marker=draft.marker, trap=trap, kind=kind, floor=floor, refused=refused, queue_id=queue_id)


def _chain(decision: Decision) -> tuple[str, ...]:
    return decision.chain if isinstance(decision, Routed | Held) else ()


def _demanded(decision: Decision, kind: Kind, policy: Policy) -> Protection:
    """The decision's floor; never less than the level's own, but where the policy says that it is lowered."""
    lowered = decision.floor < asked_for(decision) or (isinstance(decision, Routed) and decision.instead is not None)
    return decision.floor if lowered else max(decision.floor, policy.floors.get(kind.level, Protection.SEALED))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A message that nobody has judged yet."""

    marker: str
    kind: Kind
    envelope: Envelope
    content: bytes
    scan: Scan


def _draft(policy: Policy, trap: Trap, kind: Kind) -> _Draft:
    marker = f"{MARK}{secrets.token_hex(16)}"
    sender = Address(_WHO, min(policy.organisation.domains))
    recipient = Address("recipient", trap.domain)
    content = _written(marker, sender, recipient, kind)
    scanner = Scanner(text_bytes=policy.text_bytes)
    scanner.feed(content)
    return _Draft(
        marker=marker, kind=kind, envelope=envelope(sender, [recipient]), content=content, scan=scanner.close()
    )


def _written(marker: str, sender: Address, recipient: Address, kind: Kind) -> bytes:
    lines = (
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {marker}",
        # Reports name the message by this, so it is no marker.
        f"Message-ID: <{secrets.token_hex(16)}@{sender.domain}>",
        *(("Auto-Submitted: auto-replied",) if kind.automatic else ()),
        "",
        marker,
        "",
    )
    return "\r\n".join(lines).encode()


async def _ruled(engine: Engine, draft: _Draft) -> Rulings:
    """What the policy, with what can be looked up in this world, says of it."""
    shared = engine.line.shared
    policy = shared.book.current
    # Without the key no message is taken for an earlier one that was given back.
    facts = gather(draft.scan, draft.envelope, policy, shared.clock.now())
    level = Classification(level=draft.kind.level, source=_WHO)
    said = replace(facts, classification=level, intent=draft.kind.intent, intent_source=_WHO)
    addresses = [recipient.address for recipient in draft.envelope.recipients]
    return await rule(said, addresses, policy, shared.lookups, shared.queue.door_wait, rollouts=shared.rollouts())


async def _taken(engine: Engine, draft: _Draft, rulings: Rulings) -> QueueId | None:
    """Hands it over; a held one is released, as a person may. None if the spool could not keep it."""
    shared, spool = engine.line.shared, engine.spool
    taking = Taking(
        spool=spool,
        shared=shared,
        edition=shared.book.edition,
        envelope=draft.envelope,
        on_commit=engine.line.dispatch.committed,
    )
    arrival = read_arrival(draft.scan, (), shared.system.hop_key)
    try:
        body = spool.bodies.writer()
        body.write(draft.content)
        message = taking.message(draft.scan, arrival, rulings.facts, await body.finish(), "")
        await taking.keep(message, rulings, "")
    except SpoolError:
        return None
    if isinstance(rulings.decisions[0], Held):
        await spool.operate(message.queue_id, None, release(_WHO, shared.planner, shared.clock.now()))
        engine.line.dispatch.wake()
    return message.queue_id
