"""Conditions on facts from outside the message: they are Unknown until somebody has looked (`Lookup`)."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.conditions.base import Condition, Need, Seen, certain
from gateway.core.decision import Truth
from gateway.core.facts import Lookup, Missing
from gateway.core.tls import Starttls


@dataclass(frozen=True, slots=True)
class StarttlsIs(Condition):
    """Whether the recipient's mail hosts offer STARTTLS."""

    wanted: Literal[Starttls.YES, Starttls.NO]

    def truth(self, seen: Seen) -> Truth:
        found = seen.facts.outside.get((Lookup.STARTTLS, seen.recipient.domain))
        if found is Starttls.YES or found is Starttls.NO:
            return certain(found is self.wanted)
        return Truth.UNKNOWN

    def why(self, seen: Seen) -> str:
        domain = seen.recipient.domain
        found = seen.facts.outside.get((Lookup.STARTTLS, domain))
        if found is Starttls.YES or found is Starttls.NO:
            return f"{domain} {'offers' if found is Starttls.YES else 'does not offer'} STARTTLS"
        reason = f": {found.reason}" if isinstance(found, Missing) else ""
        return f"whether {domain} offers STARTTLS is not known{reason}"

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        return ((Lookup.STARTTLS, seen.recipient.domain),) if self.truth(seen) is Truth.UNKNOWN else ()

    @property
    def lookups(self) -> frozenset[Lookup]:
        return frozenset({Lookup.STARTTLS})
