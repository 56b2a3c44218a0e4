"""Marks in the subject, such as ``[OFFICIAL-SENSITIVE]``: what every client and every printer can write."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import LabelSource, fold_keys, levels_of
from gateway.core.subject import fold_mark, subjects


@dataclass(frozen=True, slots=True)
class SubjectSource(LabelSource):
    """Marks anywhere in the subject, brackets as given; with ``remove`` they are taken out on the way.

    Raises:
        ValueError: a mark is empty, or two spellings of one mark name different levels.
    """

    marks: Mapping[str, str]
    remove: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", fold_keys(self.marks, fold_mark, "mark"))

    @property
    def origin(self) -> str:
        return "subject"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.marks)

    def read(self, scan: Scan) -> Iterator[Label]:
        for subject in subjects(scan):
            for mark in self.marks_in(subject):
                yield self._label(mark, self.marks[mark])

    def marks_in(self, subject: str) -> tuple[str, ...]:
        return tuple(mark for mark in self.marks if mark in subject)

    def leaving(self, subject: str) -> tuple[str, ...]:
        return self.marks_in(subject) if self.remove else ()
