"""How a policy reads a message: its levels, where labels and buttons are looked for, and what holds without a label."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.core.defaults import Default
from gateway.core.facts import Intent
from gateway.core.labels.base import LabelSource
from gateway.core.subject import fold_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the policy reads a message. ``levels`` lowest first; ``default`` holds only where no label was found.

    Before it come the ``defaults`` in their order, for mail of certain listeners, networks or senders.
    ``disclosure_mark`` is the word in ``[ref: …]`` (R7). With ``intent_remove`` the marks of buttons leave the subject.

    Raises:
        ValueError: a default is none of the levels, or an intent mark is empty.
    """

    levels: tuple[str, ...]
    default: str
    sources: tuple[LabelSource, ...]
    intent_header: str = "X-Sealpost-Intent"
    intent_marks: Mapping[str, Intent] = field(default_factory=lambda: MappingProxyType({}))
    intent_remove: bool = True
    defaults: tuple[Default, ...] = ()
    disclosure_mark: str = "ref"

    def __post_init__(self) -> None:
        for level in (self.default, *(default.level for default in self.defaults)):
            if level not in self.levels:
                raise ValueError(f"the default level {level!r} is none of the levels")
        marks: dict[str, Intent] = {}
        for mark, intent in self.intent_marks.items():
            marks[fold_mark(mark)] = max(intent, marks.get(fold_mark(mark), Intent.NONE))
        if "" in marks:
            raise ValueError("an empty mark would stand in every subject")
        object.__setattr__(self, "intent_marks", MappingProxyType(marks))
