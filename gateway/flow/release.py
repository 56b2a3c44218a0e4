"""What a person decides about held mail: release it, give it back with a note, or look at it. Each is audited by name.

A released recipient enters its route, never below its stored floor; one that is given back is due at once, and the
dispatcher reports it to its sender. Deciding twice changes nothing. What operators may besides is `flow.interventions`
and, where nothing is reported and no route is entered, the spool's (`spool.changes`).
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.core.chronicle import row_event
from gateway.core.plan import HELD_BY_OPERATOR, Planner
from gateway.core.record import EventKind, Message, RecipientRow, State
from gateway.core.selection import key_of, senders_of
from gateway.flow.holding import held_for
from gateway.flow.ports import OperatorChange, QueueItem, RowChange

LONGEST_NOTE: Final = 500


def release(name: str, planner: Planner, at: datetime, *, role: str | None = None, reason: str = "") -> OperatorChange:
    """Lets held rows go, those of a role only if one is named; other rows, and ``name``'s own mail, are left alone."""
    text = f"released by {_who(name, role)}{f': {reason}' if reason else ''}"

    def change(item: QueueItem) -> RowChange | None:
        if not undecided(item.row, role) or is_own(item.message, name):
            return None
        row = planner.release(item.row, at)
        return RowChange(row=row, events=(row_event(item.message, row, EventKind.OPERATOR, at, text),))

    return change


def give_back(name: str, note: str, at: datetime, *, role: str | None = None) -> OperatorChange:
    """Has held rows reported to their sender at once, with the note. ``note`` is what `read_note` returned.

    For no role, an operator's, also rows that wait for an attempt or for facts.
    """
    text = f"given back by {_who(name, role)}: {note}"

    def change(item: QueueItem) -> RowChange | None:
        waits = role is None and item.row.state in (State.QUEUED, State.OPEN)
        if not waits and not undecided(item.row, role):
            return None
        hop = HELD_BY_OPERATOR if waits else item.row.next_hop
        row = replace(item.row, state=State.HELD, next_hop=hop, note=note, due_at=at, deadline=at)
        return RowChange(row=row, events=(row_event(item.message, row, EventKind.OPERATOR, at, text),))

    return change


def shown(name: str, at: datetime, *, role: str) -> OperatorChange:
    """Records that somebody is about to see the content; nothing else changes."""

    def change(item: QueueItem) -> RowChange | None:
        if not undecided(item.row, role):
            return None
        text = f"the content was shown to {_who(name, role)}"
        return RowChange(row=item.row, events=(row_event(item.message, item.row, EventKind.OPERATOR, at, text),))

    return change


def undecided(row: RecipientRow, role: str | None) -> bool:
    """Whether somebody has to decide it yet; for a role, whether that is its to do."""
    return row.state is State.HELD and not row.note and (role is None or held_for(row, role))


def is_own(message: Message, user: str) -> bool:
    """Whether the person sent the message, by its reverse-path or by what its header says."""
    return key_of(user) in senders_of(message)


def read_note(text: str) -> str:
    """The note in one line. Raises ValueError, with one sentence, for none at all and for one that is too long."""
    note = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if not note:
        raise ValueError("a note is needed: it is all that the sender hears of your reasons")
    if len(note) > LONGEST_NOTE:
        raise ValueError(f"the note has {len(note)} characters, and {LONGEST_NOTE} are the most")
    return note


def _who(name: str, role: str | None) -> str:
    return f"{name} ({role})" if role else name
