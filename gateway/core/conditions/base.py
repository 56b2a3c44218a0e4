"""What a condition is, and what it looks at: the facts of a message and one recipient."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.core.address import Address
from gateway.core.decision import Truth
from gateway.core.detect.base import Detector
from gateway.core.facts import Facts, Lookup

Need: TypeAlias = tuple[Lookup, str]
"""An outside fact: what is looked up, and of whom or what (see `Lookup`)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says, why (the fact's value and its source), and the outside facts it lacked."""

    truth: Truth
    why: str
    lacks: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What conditions look at. ``sender`` None is the null reverse-path."""

    facts: Facts
    recipient: Address
    sender: Address | None


def look(facts: Facts, recipient: Address) -> Seen:
    """Prepares the facts for one recipient."""
    return Seen(facts, recipient, sender_of(facts))


def sender_of(facts: Facts) -> Address | None:
    """The reverse-path of the message; None is the null one."""
    local, at, domain = facts.sender.rpartition("@")
    return Address(local, domain) if at else None


class Condition(ABC):
    """A small frozen object. `truth` is asked for every rule and recipient, so it makes no text; `why` only for some.

    Only outside facts, and facts that an audit event did not keep, are ever Unknown.
    """

    __slots__ = ()

    @abstractmethod
    def truth(self, seen: Seen) -> Truth:
        """Whether it holds."""

    @abstractmethod
    def why(self, seen: Seen) -> str:
        """The fact's value and its source, as part of a sentence; it repeats no content of the message."""

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        """The outside facts that it is Unknown for want of."""
        return ()

    def words(self, seen: Seen) -> Mapping[str, str]:
        """What it knows for the places of a template (`gateway.core.template.WORDS`), where it holds."""
        return {}

    @property
    def lookups(self) -> frozenset[Lookup]:
        """The outside facts that it can read."""
        return frozenset()

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """What has to be looked for in the message before it can be asked."""
        return ()

    def judge(self, seen: Seen) -> Verdict:
        """All three answers."""
        return Verdict(self.truth(seen), self.why(seen), self.lacks(seen))


def certain(holds: bool) -> Truth:
    """A condition that can always be told."""
    return Truth.MATCH if holds else Truth.NO_MATCH
