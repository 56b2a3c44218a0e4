"""Detectors on the subject: patterns of personal data (R5), and marks such as ``[INTERNAL ONLY]`` (R14)."""

from dataclasses import dataclass, field

from gateway.core.detect.base import Detector
from gateway.core.detect.keys import key
from gateway.core.detect.patterns import PATTERNS
from gateway.core.facts import Scan
from gateway.core.subject import fold_mark, subjects, titles


@dataclass(frozen=True, slots=True)
class SubjectHolds(Detector):
    """The decoded subject holds one of the patterns, by their names in `PATTERNS`."""

    patterns: tuple[str, ...]
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_id", key("subject", {"pattern": sorted(set(self.patterns))}))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return f"the subject seems to hold {' or '.join(PATTERNS[name].label for name in self.patterns)}"

    def detect(self, scan: Scan) -> bool:
        return any(PATTERNS[name].holds(text) for name in self.patterns for text in titles(scan))


@dataclass(frozen=True, slots=True)
class SubjectMarked(Detector):
    """The subject has one of the marks; case and runs of space tell nothing."""

    marks: tuple[str, ...]
    _folded: frozenset[str] = field(init=False, repr=False, compare=False)
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = frozenset(fold_mark(mark) for mark in self.marks)
        if "" in folded:
            raise ValueError("an empty mark would stand in every subject")
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "_id", key("subject", {"mark": sorted(folded)}))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return f"the subject is marked {' or '.join(self.marks)}"

    def detect(self, scan: Scan) -> bool:
        return any(mark in subject for subject in subjects(scan) for mark in self._folded)
