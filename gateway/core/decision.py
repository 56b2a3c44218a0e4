"""A decision: one per recipient, made once before 250, stored with what it was made from."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TypeAlias

from gateway.core.effects import NOTHING, Effects
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
class Instead:
    """What would have been decided while a policy, rule or group is only observed (mode ``observe``)."""

    rule: str
    action: str
    chain: tuple[str, ...]
    floor: Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Goes by the routes of ``chain`` in order, never below ``floor``.

    ``original_floor`` differs where the rule says ``below_floor``, with its reason in ``lowered_because``, and where
    the decision is only observed: then ``instead`` says what it would have been and the chain is the baseline route.
    ``patience`` is the longest that any route but the last keeps it; None leaves that to the routes. ``without`` says
    why routes of the rule are not in the chain, a sentence for each.
    """

    rule: str
    chain: tuple[str, ...]
    floor: Protection
    original_floor: Protection
    reason: str
    advice: str
    lowered_because: str | None = None
    instead: Instead | None = None
    patience: timedelta | None = None
    without: tuple[str, ...] = ()
    effects: Effects = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Given back: in the session or by a report, as the listener says.

    ``overridable`` says that the report holds a one-time token with which the sender can send it all the same.
    """

    rule: str
    floor: Protection
    reason: str
    advice: str
    overridable: bool = False
    effects: Effects = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Waits for a person; enters ``chain`` at its release, ends as a report after ``queue.hold_max``.

    ``role`` is who may release it, one of `Policy.roles`; empty for the operators alone. The last four are those of the
    decision behind it, as in `Routed`; ``lowered_from`` is None where that lowers nothing. It has a name of its own
    because stored decisions are told apart by the fields that they have.
    """

    rule: str
    chain: tuple[str, ...]
    floor: Protection
    reason: str
    advice: str
    role: str = ""
    overridable: bool = False
    effects: Effects = NOTHING
    lowered_from: Protection | None = None
    lowered_because: str | None = None
    patience: timedelta | None = None
    without: tuple[str, ...] = ()

    @property
    def original_floor(self) -> Protection:
        """As in `Routed`."""
        return self.floor if self.lowered_from is None else self.lowered_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A lookup did not answer in time; dispatch decides again. ``missing`` names the facts."""

    rule: str
    missing: tuple[str, ...]
    floor: Protection
    reason: str
    advice: str
    effects: Effects = NOTHING


Decision: TypeAlias = Routed | Refused | Held | Open


def asked_for(decision: Decision) -> Protection:
    """The protection that the message asks for, also where its rule lowered the floor."""
    return decision.original_floor if isinstance(decision, Routed | Held) else decision.floor
