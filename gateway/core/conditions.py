"""Conditions of rules: three-valued, so that what cannot be told never becomes a no (Kleene's strong logic).

A condition is a small frozen object with one method, `judge`. Only outside facts are ever Unknown. A new one is a
class here, its name in `Condition`, and one reader in `gateway.config.conditions`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.core.address import Address
from gateway.core.decision import Truth
from gateway.core.domains import Group
from gateway.core.facts import Facts, Intent, Lookup, Missing
from gateway.core.sizes import exactly, roughly
from gateway.core.tls import Starttls

Need: TypeAlias = tuple[Lookup, str]
"""An outside fact: what is looked up, and for which recipient domain."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says, why (the fact's value and its source), and the outside facts it lacked."""

    truth: Truth
    why: str
    lacks: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What conditions look at: a message's facts and one recipient. ``sender`` None is the null reverse-path."""

    facts: Facts
    recipient: Address
    sender: Address | None


def look(facts: Facts, recipient: Address) -> Seen:
    """Prepares the facts for one recipient."""
    local, at, domain = facts.sender.rpartition("@")
    return Seen(facts, recipient, Address(local, domain) if at else None)


def _match(matches: bool) -> Truth:
    return Truth.MATCH if matches else Truth.NO_MATCH


@dataclass(frozen=True, slots=True)
class ClassificationIs:
    """The message's level is one of ``levels``."""

    levels: frozenset[str]

    def judge(self, seen: Seen) -> Verdict:
        found = seen.facts.classification
        return Verdict(_match(found.level in self.levels), f"the level is {found.level} ({found.source})")


@dataclass(frozen=True, slots=True)
class IntentIs:
    """The button that was pressed is one of ``intents``."""

    intents: frozenset[Intent]

    def judge(self, seen: Seen) -> Verdict:
        found = seen.facts.intent
        pressed = f"the {found.label.capitalize()} button was pressed ({seen.facts.intent_source})"
        return Verdict(_match(found in self.intents), pressed if found else "no button was pressed")


@dataclass(frozen=True, slots=True)
class AutomaticIs:
    """The message was, or was not, sent by a machine."""

    wanted: bool

    def judge(self, seen: Seen) -> Verdict:
        found = seen.facts.automatic
        why = f"it is automatic mail ({seen.facts.automatic_reason})" if found else "it is not automatic mail"
        return Verdict(_match(found is self.wanted), why)


@dataclass(frozen=True, slots=True)
class PartyIs:
    """The recipient, or the sender (the reverse-path), is in one of ``groups``."""

    side: Literal["recipient", "sender"]
    groups: tuple[Group, ...]

    def judge(self, seen: Seen) -> Verdict:
        party = seen.recipient if self.side == "recipient" else seen.sender
        if party is None:
            return Verdict(Truth.NO_MATCH, "the sender is the null reverse-path")
        for group in self.groups:
            if party in group:
                return Verdict(Truth.MATCH, f"the {self.side} {party} is in {group.label}")
        labels = " or ".join(group.label for group in self.groups)
        return Verdict(Truth.NO_MATCH, f"the {self.side} {party} is not in {labels}")


@dataclass(frozen=True, slots=True)
class SizeIsOver:
    """The attached files (decoded), or the whole message, are over ``limit`` bytes; equal passes (M5)."""

    what: Literal["attachment_bytes", "message_bytes"]
    limit: int

    def judge(self, seen: Seen) -> Verdict:
        files = self.what == "attachment_bytes"
        size = seen.facts.attachment_bytes if files else seen.facts.message_bytes
        over = size > self.limit
        subject = "the attached files come to" if files else "the message comes to"
        return Verdict(
            _match(over), f"{subject} {roughly(size)}, {'over' if over else 'not over'} {exactly(self.limit)}"
        )


@dataclass(frozen=True, slots=True)
class StarttlsIs:
    """Whether the recipient's mail hosts offer STARTTLS (an outside fact)."""

    wanted: Literal[Starttls.YES, Starttls.NO]

    def judge(self, seen: Seen) -> Verdict:
        domain = seen.recipient.domain
        found = seen.facts.outside.get((Lookup.STARTTLS, domain))
        if found in (Starttls.YES, Starttls.NO):
            offers = "offers" if found is Starttls.YES else "does not offer"
            return Verdict(_match(found is self.wanted), f"{domain} {offers} STARTTLS")
        why = f": {found.reason}" if isinstance(found, Missing) else ""
        text = f"whether {domain} offers STARTTLS is not known{why}"
        return Verdict(Truth.UNKNOWN, text, ((Lookup.STARTTLS, domain),))


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds: one NoMatch is NoMatch, else one Unknown is Unknown."""

    parts: tuple["Condition", ...]

    def judge(self, seen: Seen) -> Verdict:
        return _combine((part.judge(seen) for part in self.parts), stop=Truth.NO_MATCH, otherwise=Truth.MATCH)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds: one Match is Match, else one Unknown is Unknown."""

    parts: tuple["Condition", ...]

    def judge(self, seen: Seen) -> Verdict:
        return _combine((part.judge(seen) for part in self.parts), stop=Truth.MATCH, otherwise=Truth.NO_MATCH)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; Unknown stays Unknown."""

    part: "Condition"

    def judge(self, seen: Seen) -> Verdict:
        found = self.part.judge(seen)
        return Verdict(opposite(found.truth), found.why, found.lacks)


Leaf: TypeAlias = ClassificationIs | IntentIs | AutomaticIs | PartyIs | SizeIsOver | StarttlsIs
Condition: TypeAlias = Leaf | All | AnyOf | Not


def opposite(truth: Truth) -> Truth:
    """Kleene's not."""
    return {Truth.MATCH: Truth.NO_MATCH, Truth.NO_MATCH: Truth.MATCH, Truth.UNKNOWN: Truth.UNKNOWN}[truth]


def _combine(parts: Iterable[Verdict], *, stop: Truth, otherwise: Truth) -> Verdict:
    """One ``stop`` decides; else the unknown parts do; else all agree."""
    seen: list[Verdict] = []
    unknown: list[Verdict] = []
    for verdict in parts:
        if verdict.truth is stop:
            return verdict
        (unknown if verdict.truth is Truth.UNKNOWN else seen).append(verdict)
    if unknown:
        lacks = tuple(need for verdict in unknown for need in verdict.lacks)
        return Verdict(Truth.UNKNOWN, _whys(unknown), lacks)
    return Verdict(otherwise, _whys(seen))


def _whys(verdicts: Iterable[Verdict]) -> str:
    return "; ".join(dict.fromkeys(verdict.why for verdict in verdicts))


def lookups(condition: Condition | None) -> frozenset[Lookup]:
    """The outside facts that the condition can read, however deep."""
    match condition:
        case All(parts) | AnyOf(parts):
            return frozenset[Lookup]().union(*map(lookups, parts))
        case Not(part):
            return lookups(part)
        case StarttlsIs():
            return frozenset({Lookup.STARTTLS})
        case _:
            return frozenset()
