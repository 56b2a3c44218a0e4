"""Conditions on what was sent before, and on recipients that are perhaps not who is meant (mission R10, R15, R16).

What was sent before is looked up, as keyed hashes (`gateway.flow.history`); the rest is told from the addresses alone.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.core.address import Address
from gateway.core.conditions.base import Condition, Need, Seen, certain
from gateway.core.decision import Truth
from gateway.core.domains import Group
from gateway.core.facts import Answer, Lookup, Missing
from gateway.core.lookalike import LookAlikes


@dataclass(frozen=True, slots=True)
class LooksAlike(Condition):
    """The recipient's domain is not one that we know, but resembles one (R15)."""

    domains: LookAlikes = field(repr=False)

    def truth(self, seen: Seen) -> Truth:
        return certain(self.domains.resembled(seen.recipient.domain) is not None)

    def why(self, seen: Seen) -> str:
        domain = seen.recipient.domain
        known = self.domains.resembled(domain)
        return f"{domain} resembles {known}" if known else f"{domain} resembles no other domain that is known"

    def words(self, seen: Seen) -> Mapping[str, str]:
        return {"lookalike": self.domains.resembled(seen.recipient.domain) or ""}


@dataclass(frozen=True, slots=True)
class FirstContact(Condition):
    """Nobody here wrote to the recipient before (R15)."""

    def truth(self, seen: Seen) -> Truth:
        found = seen.facts.outside.get(_known(seen))
        return certain(not found.yes) if isinstance(found, Answer) else Truth.UNKNOWN

    def why(self, seen: Seen) -> str:
        found = seen.facts.outside.get(_known(seen))
        if isinstance(found, Answer):
            return found.why
        reason = f": {found.reason}" if isinstance(found, Missing) else ""
        return f"whether somebody here wrote to {seen.recipient} before is not known{reason}"

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        return (_known(seen),) if self.truth(seen) is Truth.UNKNOWN else ()

    @property
    def lookups(self) -> frozenset[Lookup]:
        return frozenset({Lookup.KNOWN})


def _known(seen: Seen) -> Need:
    return Lookup.KNOWN, seen.recipient.key


def refusal_id(fingerprint: str, recipient: Address, level: str) -> str:
    """Names one refusal: that message (see `Facts.fingerprint`), to that recipient, at that level."""
    return hashlib.sha256("\0".join((fingerprint, recipient.key, level)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ResentLower(Condition):
    """The same sender's same files were refused to this recipient at a higher level, a short while ago (R16).

    Each recipient is asked about by itself, so that one more or less on the message changes nothing for the others.
    ``levels`` are the policy's, lowest first.
    """

    levels: tuple[str, ...]

    def truth(self, seen: Seen) -> Truth:
        answers = [seen.facts.outside.get(need) for need in self._needs(seen)]
        if any(isinstance(answer, Answer) and answer.yes for answer in answers):
            return Truth.MATCH
        return Truth.NO_MATCH if all(isinstance(answer, Answer) for answer in answers) else Truth.UNKNOWN

    def why(self, seen: Seen) -> str:
        truth, level = self.truth(seen), seen.facts.classification.level
        if truth is Truth.UNKNOWN:
            return f"whether it was refused lately at a level above {level} is not known"
        return f"it was {'' if truth is Truth.MATCH else 'not '}refused in the last day at a level above {level}"

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        if self.truth(seen) is not Truth.UNKNOWN:
            return ()
        return tuple(need for need in self._needs(seen) if not isinstance(seen.facts.outside.get(need), Answer))

    @property
    def lookups(self) -> frozenset[Lookup]:
        return frozenset({Lookup.RESENT})

    def _needs(self, seen: Seen) -> tuple[Need, ...]:
        """One for each level above the message's; a level that is none of the policy's has all of them above it."""
        facts = seen.facts
        level = facts.classification.level
        above = self.levels[self.levels.index(level) + 1 :] if level in self.levels else self.levels
        return tuple((Lookup.RESENT, refusal_id(facts.fingerprint, seen.recipient, each)) for each in above)


@dataclass(frozen=True, slots=True)
class ResemblesSender(Condition):
    """The recipient is at a free-mail domain and its name is the sender's own: perhaps a private address (R10)."""

    free_mail: Group

    def truth(self, seen: Seen) -> Truth:
        return certain(seen.recipient in self.free_mail and not _names(seen.recipient.local).isdisjoint(_senders(seen)))

    def why(self, seen: Seen) -> str:
        if self.truth(seen) is Truth.MATCH:
            return f"{seen.recipient} resembles the sender's own name"
        return f"{seen.recipient} is no private address that resembles the sender's name"


_SEPARATORS: Final = re.compile(r"[\W\d_]+")
SHORTEST_NAME: Final = 5
"""Letters of a name that is more than a coincidence."""


def _senders(seen: Seen) -> frozenset[str]:
    locals_ = [address.rpartition("@")[0] for address in seen.facts.header_from]
    if seen.sender is not None:
        locals_.append(seen.sender.local)
    return frozenset[str]().union(*(_written(_words(local)) for local in locals_))


def _names(local: str) -> frozenset[str]:
    """The ways in which somebody of that address may be written, and each part by itself (``janesmith.home``)."""
    words = _words(local)
    return _written(words) | {word for word in words if len(word) >= SHORTEST_NAME}


def _words(local: str) -> list[str]:
    return [word for word in _SEPARATORS.split(local.casefold()) if word]


def _written(words: list[str]) -> frozenset[str]:
    """Of ``jane.m.smith``: janesmith, smithjane, jsmith, smithj; of one word that word."""
    if len(words) < 2:
        ways = words
    else:
        first, last = words[0], words[-1]
        ways = [first + last, last + first, first[0] + last, last + first[0]]
    return frozenset(way for way in ways if len(way) >= SHORTEST_NAME)
