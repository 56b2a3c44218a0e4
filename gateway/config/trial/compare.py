"""Two ends of one message compared: what was decided, what another policy would decide, and which protects less."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.route import Route
from gateway.core.tls import Protection


class Change(StrEnum):
    """What the other policy makes of a message, the one to look at first in front."""

    LESS = "less protected"
    UNRECORDED = "not recorded"
    MORE = "more protected"
    OTHER = "goes another way"
    NONE = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A decision as far as it is compared; ``gives`` is what the message has on its weakest route.

    It is None where that cannot be told: for an open decision, and for a route that does not exist any more.
    """

    rule: str
    action: str
    route: tuple[str, ...]
    floor: Protection
    gives: Protection | None

    @property
    def way(self) -> tuple[str, tuple[str, ...], Protection | None]:
        """What becomes of it, whichever rule says so; what is given back goes nowhere, so no floor counts."""
        return self.action, self.route, None if self.action == "reject" else self.floor

    @property
    def route_text(self) -> str:
        """Where it goes, for people: the chain, or what else becomes of it."""
        chain = ", then ".join(self.route)
        return {"route": chain, "hold": f"held, then {chain}", "reject": "given back", "open": "not decided"}[
            self.action
        ]


# A message that comes back, or that a person looks at first, is protected better than one that leaves.
_CARE: Final = {"reject": 2, "hold": 1, "route": 0}


def is_copy(decision: Decision) -> bool:
    """Whether no rule made it: a copy for the record is caused by another recipient (`gateway.flow.copies`)."""
    return decision.rule.startswith("copy for the record: ")


def end(decision: Decision, routes: Mapping[str, Route]) -> End:
    """The decision as it is compared; one that was only observed counts as what it would have been."""
    match decision:
        case Routed():
            other = decision.instead
            if other is not None:
                return _leaving(other.rule, other.action, other.chain, other.floor, routes)
            return _leaving(decision.rule, "route", decision.chain, decision.floor, routes)
        case Held():
            return _leaving(decision.rule, "hold", decision.chain, decision.floor, routes)
        case Refused():
            return _leaving(decision.rule, "reject", (), decision.floor, routes)
        case Open():
            return _leaving(decision.rule, "open", (), decision.floor, routes)
        case _:
            assert_never(decision)


def _leaving(rule: str, action: str, chain: tuple[str, ...], floor: Protection, routes: Mapping[str, Route]) -> End:
    return End(rule=rule, action=action, route=chain, floor=floor, gives=_gives(action, chain, floor, routes))


def _gives(action: str, chain: tuple[str, ...], floor: Protection, routes: Mapping[str, Route]) -> Protection | None:
    """The demand on a connection is the higher of route and floor, so no route gives less than the floor."""
    if action == "reject":
        return Protection.SEALED
    if action == "open" or not all(name in routes for name in chain):
        return None
    return max(floor, min(routes[name].gives for name in chain))


def compare(was: End, would: End) -> Change:
    """What changes; a rule of another name alone is no change."""
    if was.gives is None or would.gives is None:
        return Change.UNRECORDED
    care = _CARE[would.action] - _CARE[was.action]
    better = 0 if "reject" in (was.action, would.action) else would.gives - was.gives
    if care < 0 or better < 0:
        return Change.LESS
    if care > 0 or better > 0:
        return Change.MORE
    return Change.NONE if was.way == would.way else Change.OTHER
