"""A loaded policy: who the organisation is, how messages are read, and the rules in order; built once, then read.

Reading the file is `gateway.config`'s; deciding is `gateway.core.decide`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from gateway.core.address import Address
from gateway.core.conditions.base import Condition
from gateway.core.detect.base import Detector
from gateway.core.domains import Group
from gateway.core.edits import HeaderEdit
from gateway.core.facts import Intent, Lookup
from gateway.core.index import Index, index_of
from gateway.core.modes import Rollout
from gateway.core.reading import Reading
from gateway.core.registers.book import Registers
from gateway.core.route import Route
from gateway.core.template import Template
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
    """Waits for a person; once released it goes as the rules behind this one say.

    ``role`` is who may release it, one of `Policy.roles`; empty for the operators alone.
    """

    role: str = ""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Only the rule's wishes take effect; the search for the rule that decides goes on."""


Action: TypeAlias = Send | Reject | Hold | GoOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a rule causes besides its action, before it is filled in for a recipient (see `Effects`).

    ``notify`` and ``copies`` are mailboxes, ``tag`` is put before the subject, ``raises`` is the least level that the
    message has for all rules behind this one.
    """

    warn: Template | None = None
    notify: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    edits: tuple[HeaderEdit, ...] = ()
    receipt: bool = False
    remind_after: timedelta | None = None
    raises: str | None = None


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. ``below_floor`` is the reason why its chain may be weaker than the floor; None forbids it.

    ``ignores_buttons``: Secure and Encrypted raise nothing here, as for CJSM (M6). ``overridable``: what it refuses or
    holds can be sent all the same with the one-time token that the sender gets. ``key`` is where it stands in its file.
    """

    name: str
    when: Condition | None
    action: Action
    advice: Template
    below_floor: str | None = None
    ignores_buttons: bool = False
    overridable: bool = False
    wishes: Wishes = NO_WISHES
    key: str = field(default="", compare=False)


class Choice(StrEnum):
    """Which of the matching rules decides: the first, or the one that protects most (Virtru's way)."""

    FIRST = "first"
    MOST_SECURE = "most-secure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All of it. ``hash`` is the SHA-256 over the policy file and its registers.

    ``lookups``, ``detectors`` and ``text_bytes`` are what its rules can read: from outside, in the message, and of its
    text; ``overridable`` is whether one of them can be overridden. ``routes`` may lack a name that a chain holds: a
    route that vanished since is the dispatcher's alert. ``roles`` name mailboxes. ``receipts`` is the domain that
    receipts come to; empty if they go to their senders. ``index`` tells which rules can match at all.
    """

    organisation: Organisation
    reading: Reading
    floors: Mapping[str, Protection]
    groups: Mapping[str, Group]
    rules: tuple[Rule, ...]
    routes: Mapping[str, Route]
    hash: str
    choose: Choice = Choice.FIRST
    registers: Registers = field(default_factory=Registers)
    rollouts: tuple[Rollout, ...] = ()
    roles: Mapping[str, Address] = field(default_factory=dict[str, Address])
    receipts: str = ""
    lookups: frozenset[Lookup] = field(init=False)
    detectors: tuple[Detector, ...] = field(init=False)
    text_bytes: int = field(init=False)
    overridable: bool = field(init=False)
    index: Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        last = self.rules[-1] if self.rules else None
        if last is None or last.when is not None or last.overridable or not isinstance(last.action, Send | Reject):
            raise ValueError("the last rule has no condition and sends or rejects, so that every message has an end")
        for rule in self.rules:
            raises = rule.wishes.raises
            if raises is not None and (raises not in self.reading.levels or not isinstance(rule.action, GoOn)):
                raise ValueError(f"`{rule.name}` raises to a level of the policy, and leaves deciding to others")
        conditions = [rule.when for rule in self.rules if rule.when is not None]
        found = {detector.id: detector for condition in conditions for detector in condition.detectors}
        object.__setattr__(self, "lookups", frozenset[Lookup]().union(*(each.lookups for each in conditions)))
        object.__setattr__(self, "detectors", tuple(found.values()))
        object.__setattr__(self, "index", index_of([rule.when for rule in self.rules], self.reading.levels))
        object.__setattr__(self, "overridable", any(rule.overridable for rule in self.rules))
        object.__setattr__(self, "text_bytes", max((each.text_bytes for each in found.values()), default=0))

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
