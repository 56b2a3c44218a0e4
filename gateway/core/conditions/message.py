"""Conditions on the message as a whole: level, button, automatic, sizes, what was found in it."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.conditions.base import Condition, Seen, certain
from gateway.core.decision import Truth
from gateway.core.detect.base import Detector
from gateway.core.facts import Intent
from gateway.core.sizes import exactly, roughly


@dataclass(frozen=True, slots=True)
class ClassificationIs(Condition):
    """The message's level is one of ``levels``."""

    levels: frozenset[str]

    def truth(self, seen: Seen) -> Truth:
        return Truth.MATCH if seen.facts.classification.level in self.levels else Truth.NO_MATCH

    def why(self, seen: Seen) -> str:
        found = seen.facts.classification
        return f"the level is {found.level} ({found.source})"


@dataclass(frozen=True, slots=True)
class IntentIs(Condition):
    """The button that was pressed is one of ``intents``."""

    intents: frozenset[Intent]

    def truth(self, seen: Seen) -> Truth:
        return Truth.MATCH if seen.facts.intent in self.intents else Truth.NO_MATCH

    def why(self, seen: Seen) -> str:
        found = seen.facts.intent
        pressed = f"the {found.label.capitalize()} button was pressed ({seen.facts.intent_source})"
        return pressed if found else "no button was pressed"


@dataclass(frozen=True, slots=True)
class AutomaticIs(Condition):
    """The message was, or was not, sent by a machine."""

    wanted: bool

    def truth(self, seen: Seen) -> Truth:
        return certain(seen.facts.automatic is self.wanted)

    def why(self, seen: Seen) -> str:
        found = seen.facts.automatic
        return f"it is automatic mail ({seen.facts.automatic_reason})" if found else "it is not automatic mail"


@dataclass(frozen=True, slots=True)
class SizeIsOver(Condition):
    """The attached files (decoded), or the whole message, are over ``limit`` bytes; equal passes (M5)."""

    what: Literal["attachment_bytes", "message_bytes"]
    limit: int

    def truth(self, seen: Seen) -> Truth:
        return certain(self._size(seen) > self.limit)

    def why(self, seen: Seen) -> str:
        subject = "the attached files come to" if self.what == "attachment_bytes" else "the message comes to"
        size = self._size(seen)
        return f"{subject} {roughly(size)}, {'over' if size > self.limit else 'not over'} {exactly(self.limit)}"

    def _size(self, seen: Seen) -> int:
        return seen.facts.attachment_bytes if self.what == "attachment_bytes" else seen.facts.message_bytes


@dataclass(frozen=True, slots=True)
class Finds(Condition):
    """The detector found what it looks for. Unknown only where it was never asked, as in an older audit event."""

    detector: Detector

    def truth(self, seen: Seen) -> Truth:
        if self.detector.id in seen.facts.found:
            return Truth.MATCH
        return Truth.NO_MATCH if self.detector.id in seen.facts.looked else Truth.UNKNOWN

    def why(self, seen: Seen) -> str:
        match self.truth(seen):
            case Truth.MATCH:
                return self.detector.label
            case Truth.NO_MATCH:
                return f"not so: {self.detector.label}"
            case _:
                return f"not recorded: {self.detector.label}"

    @property
    def detectors(self) -> tuple[Detector, ...]:
        return (self.detector,)
