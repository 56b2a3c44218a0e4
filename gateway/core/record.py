"""What the spool keeps: messages, recipient rows, what happens to them, and the audit event of each change.

All records are frozen, versioned by the spool's schema, and hold no body: a body is reached by its `BodyRef`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.core.address import Address, NullPath
from gateway.core.decision import Decision
from gateway.core.edits import HeaderEdit
from gateway.core.envelope import Envelope, Recipient
from gateway.core.facts import Facts
from gateway.core.outcome import Outcome

QueueId = NewType("QueueId", str)
"""``<shard>-<unique>``: three digits of shard, then URL-safe characters; sorts by time of acceptance."""


class Kind(StrEnum):
    """What an entry is: relayed mail, or our own mail by kind (`[system]` names the route of each of ours)."""

    RELAY = "relay"
    REPORT = "report"
    NOTICE = "notice"
    NOTIFICATION = "notification"
    CODE = "code"
    REPLY = "reply"
    TLS_REPORT = "tls report"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which recipient of which message our own mail is about. ``recipient`` is its number, -1 for the whole message."""

    queue_id: QueueId
    recipient: int
    kind: Kind


class State(StrEnum):
    """Where a recipient stands. The first four wait; all others are ends (promise 3), and each row has exactly one.

    PENDING is sealed, and waits for what comes of its notification.
    """

    QUEUED = "queued"
    OPEN = "open"
    HELD = "held"
    PENDING = "sealed, to be notified"
    DELIVERED = "delivered"
    SEALED = "sealed"
    REPORTED = "reported"
    REFUSED = "refused in session"
    LEFT = "left with the MTA"
    DELETED = "deleted"
    UNREPORTABLE = "unreportable"

    @property
    def waits(self) -> bool:
        """Whether something is still to be done."""
        return self in (State.QUEUED, State.OPEN, State.HELD, State.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRef:
    """A stored message as received (header and body). ``inline`` holds it when small, else ``path`` names its file.

    ``path`` is relative to the shard's ``bodies/``. ``size`` is in bytes; ``sha256`` is the hex digest of all bytes.
    """

    size: int
    sha256: str
    inline: bytes | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        if (self.inline is None) == (self.path is None):
            raise ValueError("a body is either inline or in a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """One recipient of one message, with all that its next attempt needs.

    ``route_index`` points into the decision's chain; ``next_hop`` is "<route>:<domain or host>", the key of
    concurrency and back-off. ``deadline`` ends the route, ``expires_at`` everything.
    ``first_handshake_failure`` feeds `core.tls.next_step`. ``cause`` of the last deferral is in ``last``. ``left_out``
    is the route that its rule names first, where that could not carry the message from the beginning. ``note`` is what
    the person who gave a held message back has to say; empty as long as nobody has. ``notified`` is what came of the
    notification of a pending one.
    """

    number: int
    recipient: Recipient
    decision: Decision
    state: State
    route_index: int = 0
    next_hop: str = ""
    entered_at: datetime
    deadline: datetime
    expires_at: datetime
    due_at: datetime
    attempts: int = 0
    last: Outcome | None = None
    first_handshake_failure: datetime | None = None
    delay_noticed: bool = False
    left_out: str = ""
    note: str = ""
    notified: Outcome | None = None

    @property
    def address(self) -> Address:
        """The recipient's address."""
        return self.recipient.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One accepted message without its recipients. ``edits`` apply to every delivery of it (Received, removals, hop).

    ``facts`` is None for our own mail. ``policy_hash`` names the accepting policy. ``message_id`` is the field's value
    as received (empty if there was none), ``taken`` the routes of earlier passes, read from a hop field of ours.
    ``tls_optional`` is its ``TLS-Required: no`` (RFC 8689 section 5). ``body_hash`` is the SHA-256 of the body in the
    relaxed form of DKIM, in base64; empty where it was not asked for.
    """

    queue_id: QueueId
    kind: Kind
    origin: Origin | None
    envelope: Envelope
    facts: Facts | None
    policy_hash: str
    accepted_at: datetime
    header_bytes: int
    eight_bit: bool
    edits: tuple[HeaderEdit, ...]
    body: BodyRef
    message_id: str = ""
    taken: tuple[str, ...] = ()
    tls_optional: bool = False
    body_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one commit makes durable: a message, its rows (ends included), and the events that say so."""

    message: Message
    rows: tuple[RecipientRow, ...]
    events: tuple["Event", ...]

    def to(self, next_hop: str) -> tuple[RecipientRow, ...]:
        """The rows for that next hop that have not ended."""
        return tuple(row for row in self.rows if row.next_hop == next_hop and row.state.waits)


class EventKind(StrEnum):
    """What an audit event tells."""

    ACCEPTED = "accepted"
    DECIDED = "decided"
    ATTEMPT = "attempt"
    MOVED = "moved"
    ENDED = "ended"
    OPERATOR = "operator"
    RECEIPT = "receipt"
    RETURNED = "returned"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One audit event, written in the transaction of the change it tells (design: audit is born here).

    ``recipient`` is a row number or None for the whole message. ``text`` is one sentence; ``facts`` only with ACCEPTED,
    ``decision`` with DECIDED, ``outcome`` with ATTEMPT, ``state`` with ENDED. It holds no subject, text or file name.
    """

    version: int = 1
    kind: EventKind
    at: datetime
    queue_id: QueueId
    recipient: int | None = None
    address: str = ""
    reverse_path: Address | NullPath | None = None
    message_id: str = ""
    policy_hash: str = ""
    facts: Facts | None = None
    decision: Decision | None = None
    route: str = ""
    outcome: Outcome | None = None
    state: State | None = None
    text: str = ""
