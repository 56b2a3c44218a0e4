"""A decision: one per recipient, made once before 250, stored with what it was made from."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gateway.core.tls import Protection


class Truth(Enum):
    """A condition's three values (Kleene): an unknown never becomes a no."""

    MATCH = "match"
    NO_MATCH = "no match"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One rule that was looked at, in order, and why it did or did not match."""

    rule: str
    result: Truth
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Goes by the routes of ``chain`` in order, never below ``floor``.

    ``original_floor`` differs only where the rule says ``below_floor``; ``lowered_because`` then holds its reason.
    """

    rule: str
    chain: tuple[str, ...]
    floor: Protection
    original_floor: Protection
    reason: str
    advice: str
    lowered_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Given back: in the session or by a report, as the listener says."""

    rule: str
    floor: Protection
    reason: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Waits for a person; enters ``chain`` at its release, ends as a report after ``queue.hold_max``."""

    rule: str
    chain: tuple[str, ...]
    floor: Protection
    reason: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A lookup did not answer in time; dispatch decides again. ``missing`` names the facts."""

    rule: str
    missing: tuple[str, ...]
    floor: Protection
    reason: str
    advice: str


Decision: TypeAlias = Routed | Refused | Held | Open
