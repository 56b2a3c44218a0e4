"""Classification labels in a message: which sources of ours it carries and what level each names (mission R1).

Built are the header field with a table of values and the mark in the subject. A source is a frozen dataclass, one
function that reads it and one case in `_read`. Signed labels, label products and attached files' labels are not read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias, assert_never

from gateway.core.facts import Label, LabelResult, Scan
from gateway.core.words import to_text

_MAX_RAW: Final = 100
# Spellings of one word: "Company-Confidential", "Company Confidential" and "company_confidential" (MAPI, RFC 2156).
_SPACERS = str.maketrans("-_", "  ")


def fold_value(text: str) -> str:
    """A field's value as tables compare it: without case; hyphens, underscores and runs of space are alike."""
    return " ".join(text.translate(_SPACERS).casefold().split())


def fold_mark(text: str) -> str:
    """A subject, or a mark in it, as they are compared: without case, runs of space alike."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class HeaderSource:
    """A field whose value names the level; None is a value of ours that says "no label".

    Raises:
        ValueError: a value is empty, or two spellings of one value name different levels.
    """

    name: str
    values: Mapping[str, str | None]

    def __post_init__(self) -> None:
        folded: dict[str, str | None] = {}
        for value, level in self.values.items():
            key = fold_value(value)
            if not key:
                raise ValueError(f"an empty value of {self.name} is always no label")
            if folded.setdefault(key, level) != level:
                raise ValueError(f"the value {value!r} of {self.name} stands twice with different levels")
        object.__setattr__(self, "values", MappingProxyType(folded))


@dataclass(frozen=True, slots=True)
class SubjectSource:
    """Marks anywhere in the subject, brackets as given, such as ``[OFFICIAL-SENSITIVE]``.

    Raises:
        ValueError: a mark is empty, or two spellings of one mark name different levels.
    """

    marks: Mapping[str, str]

    def __post_init__(self) -> None:
        folded: dict[str, str] = {}
        for mark, level in self.marks.items():
            key = fold_mark(mark)
            if not key:
                raise ValueError("an empty mark would stand in every subject")
            if folded.setdefault(key, level) != level:
                raise ValueError(f"the mark {mark!r} stands twice with different levels")
        object.__setattr__(self, "marks", MappingProxyType(folded))


LabelSource: TypeAlias = HeaderSource | SubjectSource


def read_labels(scan: Scan, sources: tuple[LabelSource, ...], levels: tuple[str, ...]) -> tuple[Label, ...]:
    """All labels of all sources, in the sources' order; a level that is not among ``levels`` is garbled."""
    return tuple(label for source in sources for label in _read(scan, source, levels))


def subjects(scan: Scan) -> tuple[str, ...]:
    """The decoded subjects, folded for `fold_mark`; more than one is a defect, and all are read."""
    return tuple(fold_mark(to_text(value)) for value in scan.values("Subject"))


def _read(scan: Scan, source: LabelSource, levels: tuple[str, ...]) -> Iterator[Label]:
    match source:
        case HeaderSource():
            yield from _read_header(scan, source, levels)
        case SubjectSource():
            yield from _read_subject(scan, source, levels)
        case _:
            assert_never(source)


def _read_header(scan: Scan, source: HeaderSource, levels: tuple[str, ...]) -> Iterator[Label]:
    for value in scan.values(source.name):
        text = to_text(value)
        yield _label(f"header {source.name}", text, _look_up(value, text, source.values), levels)


def _look_up(value: bytes, text: str, values: Mapping[str, str | None]) -> str | None:
    """The level, None for no label, or an empty string for what the table does not know or nobody can see."""
    if not value:
        return None
    return values.get(fold_value(text), "") if text.replace("\t", " ").isprintable() else ""


def _read_subject(scan: Scan, source: SubjectSource, levels: tuple[str, ...]) -> Iterator[Label]:
    for subject in subjects(scan):
        for mark, level in source.marks.items():
            if mark in subject:
                yield _label("subject", mark, level, levels)


def _label(source: str, text: str, level: str | None, levels: tuple[str, ...]) -> Label:
    raw = "".join(character if character.isprintable() else "\ufffd" for character in text[:_MAX_RAW])
    if level is None:
        return Label(source=source, raw=raw, result=LabelResult.NO_LABEL, level=None)
    if level not in levels:
        return Label(source=source, raw=raw, result=LabelResult.GARBLED, level=None)
    return Label(source=source, raw=raw, result=LabelResult.LEVEL, level=level)
