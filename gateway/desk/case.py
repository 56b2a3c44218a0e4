"""What somebody decides about: one message and the recipients of it that are held for a role, and what was done so far.

The recipients are there while any of the message waits; what was done is the audit's, and stays longer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.core.decision import Decision, Held
from gateway.core.record import Event, EventKind, Message, RecipientRow, State
from gateway.core.release_link import Link
from gateway.flow.holding import held_for
from gateway.flow.ports import QueueFilter
from gateway.flow.release import undecided
from gateway.spool.reader import ShardReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened to a recipient."""

    at: datetime
    recipient: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A rule that holds recipients, and why it holds the first of them."""

    rule: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``waiting`` are the recipients to be decided, ``message`` is None when the message has left the queue."""

    link: Link
    message: Message | None
    sender: str
    accepted_at: datetime | None
    reasons: tuple[Reason, ...]
    waiting: tuple[RecipientRow, ...]
    steps: tuple[Step, ...]

    @property
    def until(self) -> datetime | None:
        """When the first of them goes back by itself."""
        return min((row.deadline for row in self.waiting), default=None)


def read_case(reader: ShardReader, link: Link) -> Case | None:
    """The case behind a link; None if nothing is known of it any more. Blocks. Raises SpoolError."""
    items = [
        item
        for item in reader.items(QueueFilter(queue_id=link.queue_id, states=frozenset(State)))
        if held_for(item.row, link.role)
    ]
    events = [event for _, event in reader.events(link.queue_id)]
    held = [event for event in events if _holds(event, link.role)]
    if not items and not held:
        return None
    decisions = [item.row.decision for item in items] or [event.decision for event in held if event.decision]
    accepted = next((event for event in events if event.kind is EventKind.ACCEPTED), None)
    return Case(
        link=link,
        message=items[0].message if items else None,
        sender=str(accepted.reverse_path) if accepted is not None else "",
        accepted_at=accepted.at if accepted is not None else None,
        reasons=_reasons(decisions),
        waiting=tuple(item.row for item in items if undecided(item.row, link.role)),
        steps=tuple(_steps(events, [event.address for event in held])),
    )


def _reasons(decisions: Iterable[Decision]) -> tuple[Reason, ...]:
    first: dict[str, Reason] = {}
    for one in decisions:
        first.setdefault(one.rule, Reason(rule=one.rule, why=one.reason))
    return tuple(first.values())


def _holds(event: Event, role: str) -> bool:
    return event.kind is EventKind.DECIDED and isinstance(event.decision, Held) and event.decision.role == role


def _steps(events: Iterable[Event], addresses: Sequence[str]) -> Iterable[Step]:
    known = frozenset(addresses)
    for event in events:
        if event.address not in known:
            continue
        if event.kind is EventKind.OPERATOR:
            yield Step(at=event.at, recipient=event.address, what=event.text)
        elif event.kind is EventKind.ENDED and event.state is not None:
            why = f": {event.text}" if event.text else ""
            yield Step(at=event.at, recipient=event.address, what=f"{event.state.value}{why}")
