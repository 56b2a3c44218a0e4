"""A loaded policy: who the organisation is, how messages are read, and the rules in order; built once, then read.

Reading the file is `gateway.config`'s; deciding is `gateway.core.decide`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.core.address import Address
from gateway.core.classify import Reading
from gateway.core.conditions import Condition, Seen, Verdict, lookups
from gateway.core.decision import Truth
from gateway.core.domains import Group
from gateway.core.facts import Intent, Lookup
from gateway.core.route import Route
from gateway.core.tls import Protection

_BUTTON_FLOOR = {
    Intent.NONE: Protection.NONE,
    Intent.SECURE: Protection.VERIFIED,
    Intent.ENCRYPTED: Protection.SEALED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Whose mail this is. ``domains`` are exact; ``contact`` is whom every refusal says to call."""

    name: str
    domains: frozenset[str]
    contact: str
    postmaster: Address


@dataclass(frozen=True, slots=True)
class Send:
    """Goes by the routes of ``chain``, in order."""

    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """Given back."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for a person; once released it goes as the rules behind this one say."""


Action: TypeAlias = Send | Reject | Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. ``below_floor`` is the reason why its chain may be weaker than the floor; None forbids it.

    ``ignores_buttons``: Secure and Encrypted raise nothing here, as for CJSM (M6).
    """

    name: str
    when: Condition | None
    action: Action
    advice: str
    below_floor: str | None = None
    ignores_buttons: bool = False

    def judge(self, seen: Seen) -> Verdict:
        """What its condition says; without one it matches."""
        return Verdict(Truth.MATCH, "it has no condition") if self.when is None else self.when.judge(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All of it. ``hash`` is the SHA-256 of the policy file; ``lookups`` is what its rules can read from outside.

    ``routes`` may lack a name that a chain holds: a route that vanished since is the dispatcher's alert.
    """

    organisation: Organisation
    reading: Reading
    floors: Mapping[str, Protection]
    groups: Mapping[str, Group]
    rules: tuple[Rule, ...]
    routes: Mapping[str, Route]
    hash: str
    lookups: frozenset[Lookup] = field(init=False)

    def __post_init__(self) -> None:
        if not self.rules or self.rules[-1].when is not None or isinstance(self.rules[-1].action, Hold):
            raise ValueError("the last rule has no condition and does not hold, so that every message has an end")
        object.__setattr__(self, "lookups", frozenset[Lookup]().union(*(lookups(rule.when) for rule in self.rules)))

    def owns(self, domain: str) -> bool:
        """Whether the domain is inside: an exact list, so a subdomain is outside unless it is named (M1)."""
        return domain in self.organisation.domains

    def floor(self, rule: Rule, level: str, intent: Intent, *, automatic: bool) -> Protection:
        """The least protection: the level's, raised by the button unless a machine sent it or the rule ignores it.

        A level that this policy does not know is treated as the highest demand.
        """
        floor = self.floors.get(level, Protection.SEALED)
        if automatic or rule.ignores_buttons:
            return floor
        return max(floor, _BUTTON_FLOOR[intent])
