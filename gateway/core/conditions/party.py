"""Conditions on who writes to whom."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.conditions.base import Condition, Seen
from gateway.core.decision import Truth
from gateway.core.domains import Group


@dataclass(frozen=True, slots=True)
class PartyIs(Condition):
    """The recipient, or the sender (the reverse-path), is in one of ``groups``."""

    side: Literal["recipient", "sender"]
    groups: tuple[Group, ...]

    def truth(self, seen: Seen) -> Truth:
        party = seen.recipient if self.side == "recipient" else seen.sender
        if party is not None:
            for group in self.groups:
                if party in group:
                    return Truth.MATCH
        return Truth.NO_MATCH

    def why(self, seen: Seen) -> str:
        party = seen.recipient if self.side == "recipient" else seen.sender
        if party is None:
            return "the sender is the null reverse-path"
        inside = next((group.place for group in self.groups if party in group), None)
        if inside is not None:
            return f"the {self.side} {party} is {inside}"
        return f"the {self.side} {party} is not {' or '.join(group.place for group in self.groups)}"
