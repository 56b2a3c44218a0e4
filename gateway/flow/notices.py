"""What a sender hears of a recipient that was just decided: it goes back, it is held, or there are points to note.

Left out on purpose: what is heard of it later, which is `flow.settling`'s, and letters to anybody else.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.core.effects import Point
from gateway.core.progress import Ending
from gateway.core.record import Message, RecipientRow, State
from gateway.core.reply import Status
from gateway.core.report import Item, Purpose, Told, answers, item_of, wished

_REFUSED: Final = Status(5, 7, 1)
_HELD: Final = Status(4, 7, 1)
_ACCEPTED: Final = Status(2, 0, 0)


def at_acceptance(message: Message, rows: Sequence[RecipientRow]) -> tuple[Told, ...]:
    """All that the sender is told at once, in the order of the recipients."""
    found = (_told(row, row.decision.effects.warnings) for row in rows) if answers(message) else ()
    return tuple(told for told in found if told is not None)


def decided_late(message: Message, before: RecipientRow, after: RecipientRow) -> tuple[Told, ...]:
    """What is new for the sender of a recipient that was open; one that goes back is told of by `Settling`."""
    known = before.decision.effects.warnings
    warnings = tuple(point for point in after.decision.effects.warnings if point not in known)
    told = _told(after, warnings) if answers(message) and after.state.waits else None
    return (told,) if told is not None else ()


def _told(row: RecipientRow, warnings: tuple[Point, ...]) -> Told | None:
    purpose, item = _news(row)
    if not wished(row.recipient, purpose) or (purpose is Purpose.WARNED and not warnings):
        return None
    return purpose, replace(item, warnings=warnings)


def _news(row: RecipientRow) -> Told:
    """Points stand in the report or notice that the recipient causes anyway; only without one they need their own."""
    match row.state:
        case State.REPORTED:
            return Purpose.FAILED, replace(item_of(row, _REFUSED), ending=Ending.REFUSED)
        case State.HELD:
            return Purpose.HELD, _held(row)
        case _:
            return Purpose.WARNED, item_of(row, _ACCEPTED)


def _held(row: RecipientRow) -> Item:
    return replace(item_of(row, _HELD), until=row.deadline)
