"""The audit events of an entry: that a message was accepted, how each recipient was decided, which ended at once.

They outlive the message, so they hold no word of it.
"""

from dataclasses import replace
from datetime import datetime

from gateway.core.facts import Facts, LabelResult
from gateway.core.plan import chain_of
from gateway.core.record import Event, EventKind, Message, RecipientRow


def entry_events(message: Message, rows: tuple[RecipientRow, ...], text: str = "") -> tuple[Event, ...]:
    """In the order in which they happened. ``text`` goes with ACCEPTED."""
    accepted = Event(
        kind=EventKind.ACCEPTED,
        at=message.accepted_at,
        queue_id=message.queue_id,
        reverse_path=message.envelope.reverse_path,
        message_id=message.message_id,
        policy_hash=message.policy_hash,
        facts=without_words(message.facts) if message.facts is not None else None,
        text=text,
    )
    events = [accepted]
    for row in rows:
        events.append(row_event(message, row, EventKind.DECIDED, message.accepted_at))
        if not row.state.waits:
            events.append(row_event(message, row, EventKind.ENDED, message.accepted_at))
    return tuple(events)


def row_event(message: Message, row: RecipientRow, kind: EventKind, at: datetime, text: str = "") -> Event:
    """One event of a recipient, with what belongs to its kind: the decision, the outcome, or the end."""
    return Event(
        kind=kind,
        at=at,
        queue_id=message.queue_id,
        recipient=row.number,
        address=str(row.address),
        policy_hash=message.policy_hash if kind is EventKind.DECIDED else "",
        decision=row.decision if kind is EventKind.DECIDED else None,
        outcome=row.last if kind is EventKind.ATTEMPT else None,
        route=route_of(row) if kind is not EventKind.DECIDED else "",
        state=row.state if kind is EventKind.ENDED else None,
        text=text,
    )


def without_words(facts: Facts) -> Facts:
    """The facts without the sender's own words: names of files, of those in them, and labels that name no level."""
    found = facts.classification
    labels = [label if label.result is LabelResult.LEVEL else replace(label, raw="") for label in found.labels]
    return replace(
        facts,
        classification=replace(found, labels=tuple(labels)),
        attachments=tuple(replace(attachment, name="", members=()) for attachment in facts.attachments),
    )


def route_of(row: RecipientRow) -> str:
    """The name of the route that the row is on; empty for one that has none."""
    chain = chain_of(row.decision)
    return chain[row.route_index] if row.route_index < len(chain) else ""
