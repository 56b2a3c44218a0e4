"""Points for the sender: what a rule has to say besides what became of the message (mission R4, R10, R13).

Each point stands once, with all the recipients that it concerns, and says first what to do. Left out on purpose: how
a notice becomes a message (`core.dsn`) and when one is due (`flow.notices`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.effects import Point
from gateway.core.report import Item

_MOST_NAMED: Final = 10
_MOST_REASONS: Final = 3
"""Recipients and reasons named with one point; a message may have thousands of the former."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What one rule says to do, the reasons for it, and the addresses that it concerns in the order of the envelope."""

    rule: str
    to_do: str
    reasons: tuple[str, ...]
    recipients: tuple[str, ...]


def noted(items: Iterable[Item]) -> tuple[Noted, ...]:
    """The points of all items, the first one first; those that differ in their reasons alone are one."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for item in items:
        for point in item.warnings:
            found.setdefault((point.rule, to_do(point)), []).append((point.reason, str(item.recipient.address)))
    return tuple(_noted(rule, step, of) for (rule, step), of in found.items())


def _noted(rule: str, step: str, of: list[tuple[str, str]]) -> Noted:
    reasons, recipients = zip(*of, strict=True)
    return Noted(rule, step, tuple(dict.fromkeys(reasons)), tuple(dict.fromkeys(recipients)))


def to_do(point: Point) -> str:
    """What to do; a rule that says nothing of that leaves its reason."""
    return point.advice or point.reason


def also(point: Point) -> str:
    """The point as one line of a text that is about something else."""
    return f"Also: {to_do(point)} (why: {point.reason}; rule: {point.rule})"


def note_lines(note: Noted, begins: str = "What to do") -> tuple[str, ...]:
    """The point as a paragraph of its own."""
    return (
        f"{begins}: {note.to_do}",
        f"Why: {_some(note.reasons, _MOST_REASONS, '; ')}",
        f"Rule: {note.rule}",
        f"Recipients: {_some(note.recipients, _MOST_NAMED, ', ')}",
    )


def _some(words: tuple[str, ...], most: int, between: str) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return between.join(words[:most]) + more
