"""The one reminder that no receipt has come (mission R6): whom to ask, and what its absence does not mean.

It repeats no word of the message. Left out on purpose: when it is due, which is `gateway.flow.reminders`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.core.letter import build_letter
from gateway.core.paragraph import Paragraph, when
from gateway.core.record import QueueId
from gateway.core.report import Identity, Stamp

_MOST_NAMED: Final = 50


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A recipient from whom nothing has come since the message was handed on."""

    recipient: str
    delivered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """One message of ``sender``, and those of its recipients who have not answered; there is at least one."""

    queue_id: QueueId
    sender: str
    accepted_at: datetime
    outstanding: Sequence[Outstanding]


def build_reminder(reminder: Reminder, identity: Identity, stamp: Stamp) -> bytes:
    """The whole mail."""
    parts = (_first(reminder), _recipients(reminder.outstanding), _meaning(), _closing(reminder, identity))
    subject = f"No receipt yet for your message of {when(reminder.accepted_at)}"
    whole = tuple(part.in_lines() for part in parts)
    return build_letter(reminder.sender, subject, whole, identity, stamp, heading="No receipt yet")


def _first(reminder: Reminder) -> Paragraph:
    return Paragraph(
        "",
        (
            "What to do: ask the recipients below, by telephone or in a new message, whether yours has arrived.",
            f"Your message of {when(reminder.accepted_at)} asked for a receipt. It was handed on to their mail systems,"
            " and no receipt has come.",
        ),
    )


def _recipients(outstanding: Sequence[Outstanding]) -> Paragraph:
    lines = [f"{one.recipient}, handed on {when(one.delivered_at)}" for one in outstanding[:_MOST_NAMED]]
    more = len(outstanding) - _MOST_NAMED
    return Paragraph("Without a receipt", (*lines, *((f"and {more} more",) if more > 0 else ())))


def _meaning() -> Paragraph:
    return Paragraph(
        "What it means",
        ("Many people decline receipts, and many mail programs send none: yours may have been read all the same.",),
    )


def _closing(reminder: Reminder, identity: Identity) -> Paragraph:
    number = f"Questions: {identity.contact}. Please name the number {reminder.queue_id}."
    wrong = f"Sent to the wrong person? Report it now: {identity.contact}."
    return Paragraph("", ("You are reminded once.", number, wrong))
