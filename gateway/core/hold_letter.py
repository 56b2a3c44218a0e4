"""The letter to the mailbox of a role: a message is held, and this is where somebody decides about it.

It says who, to whom, which rule and until when, and no word of the message. Left out on purpose: when it is sent, which
is `gateway.flow.holding`'s, and buttons: a mail that acts would act for whoever fetches it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.core.letter import build_letter
from gateway.core.paragraph import Paragraph, when
from gateway.core.record import Message, RecipientRow
from gateway.core.report import Identity, Stamp

_MOST_NAMED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held of ``message`` for one role. ``link`` is where it is decided; empty if there is no such page."""

    role: str
    mailbox: str
    message: Message
    rows: Sequence[RecipientRow]
    link: str

    @property
    def until(self) -> datetime:
        """When the first recipient is given back, unless somebody decides before."""
        return min(row.deadline for row in self.rows)


def build_hold_letter(holding: Holding, identity: Identity, stamp: Stamp) -> bytes:
    """The whole mail."""
    parts = (_first(holding, identity), *_rules(holding), *_link(holding), _closing(holding, identity))
    whole = tuple(part.in_lines() for part in parts)
    subject = f"Held for you to decide: message {holding.message.queue_id}"
    return build_letter(holding.mailbox, subject, whole, identity, stamp, heading="Held for you to decide")


def _first(holding: Holding, identity: Identity) -> Paragraph:
    sender = str(holding.message.envelope.reverse_path) or "the null reverse-path"
    act = "open the link below" if holding.link else f"ask the mail operators ({identity.contact})"
    return Paragraph(
        "",
        (
            f"What to do: {act} and release the message, or give it back with a note.",
            f"A message of {when(holding.message.accepted_at)} from {sender} is held for {holding.role}.",
            f"If nobody decides, it goes back to its sender on {when(holding.until)}.",
        ),
    )


def _rules(holding: Holding) -> tuple[Paragraph, ...]:
    """Each rule once, with the recipients that it holds; why is said for the first of them, because each may differ."""
    held: dict[str, list[RecipientRow]] = {}
    for row in holding.rows:
        held.setdefault(row.decision.rule, []).append(row)
    return tuple(
        Paragraph(f"Rule: {rule}", (f"Why: {rows[0].decision.reason}", f"Recipients: {_named(rows)}"))
        for rule, rows in held.items()
    )


def _named(rows: Sequence[RecipientRow]) -> str:
    more = f" and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    return ", ".join(str(row.address) for row in rows[:_MOST_NAMED]) + more


def _link(holding: Holding) -> tuple[Paragraph, ...]:
    if not holding.link:
        return ()
    return (Paragraph("Decide here (it asks who you are)", (holding.link,)),)


def _closing(holding: Holding, identity: Identity) -> Paragraph:
    number = f"Questions: {identity.contact}. Please name the number {holding.message.queue_id}."
    return Paragraph("", (number, f"Sent to the wrong person? Report it now: {identity.contact}."))
