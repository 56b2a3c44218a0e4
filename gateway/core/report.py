"""A report: what it is about, recipient by recipient, and whether it may be sent at all (RFC 3461, RFC 3834).

The words are `core.report_text`'s and the message `core.dsn`'s. Left out on purpose: reports about reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias, assert_never

from gateway.core.address import Address, BadAddress, parse_address
from gateway.core.decision import Held, Routed, asked_for
from gateway.core.effects import Point
from gateway.core.envelope import Notify, Recipient
from gateway.core.outcome import Outcome
from gateway.core.override import stops
from gateway.core.progress import Ending
from gateway.core.record import Kind, Message, RecipientRow
from gateway.core.reply import Status
from gateway.core.tls import Protection


class Purpose(Enum):
    """Why the sender hears of us. The first three are delivery status notifications (RFC 3464), the others notices."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    MOVED = "moved"
    WARNED = "warned"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One recipient in a report; ``number`` is its row's. ``ending`` only for FAILED, ``until`` for DELAYED and HELD.

    ``reason`` and ``advice`` are the rule's own sentences; ``outcome`` is the last attempt's, None if there was none.
    ``floor`` is what the message asked for, also where its rule lowered that. ``route`` names the route that carried
    the message, for MOVED and RELAYED; ``role`` who may release it, for HELD. ``warnings`` are further points.
    ``overridable`` ones may be sent all the same with a token. ``note`` is for RETURNED and BOUNCED, by who did it.
    ``without`` says why ways of its rule were out from the start.
    """

    number: int
    recipient: Recipient
    rule: str
    reason: str
    advice: str
    floor: Protection
    status: Status
    ending: Ending | None = None
    outcome: Outcome | None = None
    attempted_at: datetime | None = None
    until: datetime | None = None
    route: str = ""
    role: str = ""
    warnings: tuple[Point, ...] = ()
    overridable: bool = False
    note: str = ""
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One mail of ours about ``message``: one per message, purpose and pass. ``header`` is the block as received.

    ``full`` holds the whole message where it may be returned whole, else None. ``tokens`` are the one-time tokens with
    which the sender can send it all the same, by rule.
    """

    purpose: Purpose
    message: Message
    items: tuple[Item, ...]
    header: bytes
    full: bytes | None = None
    tokens: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def protected(self) -> bool:
        """Whether the message asks for more than this report may get: then its subject is not repeated.

        Nor is it where a detector found something: that may stand in the subject itself. With REQUIRETLS neither the
        message nor its words come back, whatever RET says (RFC 8689 section 5): this report goes without REQUIRETLS.
        """
        facts = self.message.facts
        asked = self.message.envelope.require_tls or any(item.floor > Protection.NONE for item in self.items)
        return asked or (facts is not None and bool(facts.found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who reports: our host, and whom a person can call. ``marks`` are the subject marks that do what a button does.

    ``buttonless`` are the rules where a button raises nothing; ``roles`` the mailboxes of those who release.
    """

    hostname: str
    contact: str
    postmaster: Address
    marks: tuple[str, ...] = ()
    buttonless: frozenset[str] = frozenset()
    roles: Mapping[str, Address] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What makes a report unique: its time and two unguessable ids (Message-ID and boundaries)."""

    now: datetime
    message_id: str
    boundary: str


Told: TypeAlias = tuple[Purpose, Item]
"""One thing for the sender to hear of one recipient."""


def item_of(row: RecipientRow, status: Status) -> Item:
    """The recipient with what its row already knows; the caller adds what its purpose needs."""
    return Item(
        number=row.number,
        recipient=row.recipient,
        rule=row.decision.rule,
        reason=row.decision.reason,
        advice=row.decision.advice,
        floor=asked_for(row.decision),
        status=status,
        outcome=row.last,
        role=row.decision.role if isinstance(row.decision, Held) else "",
        warnings=row.decision.effects.warnings,
        # Whom a person has answered needs no way past that answer.
        overridable=stops(row.decision) and not row.note,
        note=row.note,
        without=row.decision.without if isinstance(row.decision, Routed | Held) else (),
    )


def answers(message: Message) -> bool:
    """Whether its sender is ever answered: a person's mail, not ours, and not from a null or daemon path (RFC 3834)."""
    path = message.envelope.reverse_path
    if message.kind is not Kind.RELAY or not isinstance(path, Address):
        return False
    return path.local.casefold() != "mailer-daemon" and not (message.facts is not None and message.facts.automatic)


def owner_of(message: Message) -> Address | None:
    """Who answers for the system that sent the message, if it is one of the register with an owner's address (R1)."""
    if message.facts is None or not message.facts.owner:
        return None
    try:
        return parse_address(message.facts.owner)
    except BadAddress:
        return None


def reader_of(message: Message) -> Address:
    """Who hears of the message: the owner of the system that sent it, else its sender. Only for one that `answers`."""
    if (owner := owner_of(message)) is not None:
        return owner
    sender = message.envelope.reverse_path
    if not isinstance(sender, Address):
        raise ValueError("a null reverse-path is never answered")
    return sender


def wished(recipient: Recipient, purpose: Purpose) -> bool:
    """Whether NOTIFY asks for it (RFC 3461 section 4.1): without the parameter failures and delays, never successes."""
    match purpose:
        case Purpose.FAILED:
            return not recipient.notify or Notify.FAILURE in recipient.notify
        case Purpose.DELAYED:
            return not recipient.notify or Notify.DELAY in recipient.notify
        case Purpose.RELAYED:
            return Notify.SUCCESS in recipient.notify
        case Purpose.MOVED | Purpose.WARNED | Purpose.HELD:
            return Notify.NEVER not in recipient.notify
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(purpose)
