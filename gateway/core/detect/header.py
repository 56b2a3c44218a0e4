"""The detector of a header field with certain values, such as a handling mark (R14)."""

from dataclasses import dataclass, field

from gateway.core.detect.base import Detector
from gateway.core.detect.keys import key
from gateway.core.facts import Scan
from gateway.core.labels.base import fold_value
from gateway.core.words import to_text


@dataclass(frozen=True, slots=True)
class HeaderSays(Detector):
    """A field of that name has one of the values, which compare like labels (`fold_value`); without any it is there."""

    name: str
    values: tuple[str, ...]
    _folded: frozenset[str] = field(init=False, repr=False, compare=False)
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = frozenset(fold_value(value) for value in self.values)
        if "" in folded:
            raise ValueError("an empty value says nothing")
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "_id", key("header", {"name": [self.name.casefold()], "value": sorted(folded)}))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        says = f"says {' or '.join(self.values)}" if self.values else "is there"
        return f"the field {self.name} {says}"

    def detect(self, scan: Scan) -> bool:
        values = scan.values(self.name)
        return any(not self.values or fold_value(to_text(value)) in self._folded for value in values)
