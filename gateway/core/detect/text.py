"""The detector of personal data and passwords in the text of a message: what its sender wrote, not what it quotes."""

from dataclasses import dataclass, field

from gateway.core.detect.base import DEFAULT_TEXT, Detector
from gateway.core.detect.keys import key
from gateway.core.detect.own import own_text
from gateway.core.detect.patterns import PATTERNS
from gateway.core.facts import Scan


@dataclass(frozen=True, slots=True)
class TextHolds(Detector):
    """The first ``first`` bytes of text hold one of the patterns, by their names in `PATTERNS`."""

    patterns: tuple[str, ...]
    first: int = DEFAULT_TEXT
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = {"pattern": sorted(set(self.patterns)), "first": [str(self.first)]}
        object.__setattr__(self, "_id", key("text", words))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return f"the text seems to hold {' or '.join(PATTERNS[name].label for name in self.patterns)}"

    def detect(self, scan: Scan) -> bool:
        text = own_text(scan, self.first)
        return any(PATTERNS[name].holds(text) for name in self.patterns)

    @property
    def text_bytes(self) -> int:
        return self.first
