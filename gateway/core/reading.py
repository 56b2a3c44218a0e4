"""How a policy reads a message: its levels, where labels and buttons are looked for, and what holds without a label."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.core.facts import Intent
from gateway.core.labels import LabelSource, fold_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the policy reads a message. ``levels`` lowest first; ``default`` holds only where no label was found.

    Raises:
        ValueError: the default is none of the levels, or an intent mark is empty.
    """

    levels: tuple[str, ...]
    default: str
    sources: tuple[LabelSource, ...]
    intent_header: str = "X-Sealpost-Intent"
    intent_marks: Mapping[str, Intent] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.default not in self.levels:
            raise ValueError(f"the default level {self.default!r} is none of the levels")
        marks: dict[str, Intent] = {}
        for mark, intent in self.intent_marks.items():
            marks[fold_mark(mark)] = max(intent, marks.get(fold_mark(mark), Intent.NONE))
        if "" in marks:
            raise ValueError("an empty mark would stand in every subject")
        object.__setattr__(self, "intent_marks", MappingProxyType(marks))
