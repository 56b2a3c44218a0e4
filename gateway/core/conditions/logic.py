"""All, any and not: they nest, and keep what is unknown unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from gateway.core.conditions.base import Condition, Need, Seen
from gateway.core.decision import Truth
from gateway.core.detect.base import Detector
from gateway.core.facts import Lookup


def opposite(truth: Truth) -> Truth:
    """Kleene's not."""
    if truth is Truth.UNKNOWN:
        return truth
    return Truth.NO_MATCH if truth is Truth.MATCH else Truth.MATCH


@dataclass(frozen=True, slots=True)
class _Several(Condition):
    parts: tuple[Condition, ...]
    _stop: ClassVar[Truth]

    def _combine(self, seen: Seen, stop: Truth, otherwise: Truth) -> Truth:
        """One ``stop`` decides; else the unknown parts do; else all agree."""
        result = otherwise
        for part in self.parts:
            truth = part.truth(seen)
            if truth is stop:
                return stop
            if truth is Truth.UNKNOWN:
                result = truth
        return result

    def why(self, seen: Seen) -> str:
        """The parts that made it so: those whose value is the whole's."""
        truth = self.truth(seen)
        return "; ".join(dict.fromkeys(part.why(seen) for part in self._deciding(seen, truth)))

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        if self.truth(seen) is not Truth.UNKNOWN:
            return ()
        return tuple(need for part in self.parts if part.truth(seen) is Truth.UNKNOWN for need in part.lacks(seen))

    def words(self, seen: Seen) -> Mapping[str, str]:
        """Of the parts that hold."""
        return {
            word: text
            for part in self.parts
            if part.truth(seen) is Truth.MATCH
            for word, text in part.words(seen).items()
        }

    def _deciding(self, seen: Seen, truth: Truth) -> Iterable[Condition]:
        same = [part for part in self.parts if part.truth(seen) is truth]
        return same[:1] if truth is self._stop else same

    @property
    def lookups(self) -> frozenset[Lookup]:
        return frozenset[Lookup]().union(*(part.lookups for part in self.parts))

    @property
    def detectors(self) -> tuple[Detector, ...]:
        return tuple(detector for part in self.parts for detector in part.detectors)


@dataclass(frozen=True, slots=True)
class All(_Several):
    """Every part holds: one NoMatch is NoMatch, else one Unknown is Unknown."""

    _stop = Truth.NO_MATCH

    def truth(self, seen: Seen) -> Truth:
        return self._combine(seen, Truth.NO_MATCH, Truth.MATCH)


@dataclass(frozen=True, slots=True)
class AnyOf(_Several):
    """At least one part holds: one Match is Match, else one Unknown is Unknown."""

    _stop = Truth.MATCH

    def truth(self, seen: Seen) -> Truth:
        return self._combine(seen, Truth.MATCH, Truth.NO_MATCH)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The part does not hold; Unknown stays Unknown."""

    part: Condition

    def truth(self, seen: Seen) -> Truth:
        return opposite(self.part.truth(seen))

    def why(self, seen: Seen) -> str:
        return self.part.why(seen)

    def lacks(self, seen: Seen) -> tuple[Need, ...]:
        return self.part.lacks(seen)

    @property
    def lookups(self) -> frozenset[Lookup]:
        return self.part.lookups

    @property
    def detectors(self) -> tuple[Detector, ...]:
        return self.part.detectors
