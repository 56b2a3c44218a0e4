"""What a source of labels is, and what all of them share: values compared, GUIDs, lists of pairs (mission R1).

A value that a source of ours does not know, or that is too long to be one, is garbled and never "no label".
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Final, TypeVar

from gateway.core.facts import Label, LabelResult, Scan
from gateway.core.words import to_text

MAX_VALUE: Final = 16 * 1024
"""Bytes of a field that are read for a label; the longest real ones, lists of several tenants, take some 2 KiB."""
MAX_LABELS: Final = 100
"""Labels of one message; a real one has a few, and each is kept with the decision."""
GUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_MAX_RAW: Final = 100
_GUID = re.compile(GUID)
# Spellings of one word: "Company-Confidential", "Company Confidential" and "company_confidential" (MAPI, RFC 2156).
_SPACERS = str.maketrans("-_", "  ")
_L = TypeVar("_L", bound="str | None")


class LabelSource(ABC):
    """A small frozen object. It never raises, and ``origin`` comes from the policy alone."""

    __slots__ = ()

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where its labels come from, for people and metrics."""

    @property
    @abstractmethod
    def levels(self) -> frozenset[str]:
        """The levels that it can give."""

    @abstractmethod
    def read(self, scan: Scan) -> Iterator[Label]:
        """All labels of this source, in order."""

    def marks_in(self, subject: str) -> tuple[str, ...]:
        """Its marks in a folded subject, as they stand there."""
        return ()

    def leaving(self, subject: str) -> tuple[str, ...]:
        """Those of them that are taken out on the way."""
        return ()

    def _label(self, raw: str, level: str | None) -> Label:
        """One that was read; None is "no label"."""
        result = LabelResult.NO_LABEL if level is None else LabelResult.LEVEL
        return Label(source=self.origin, raw=_printable(raw), result=result, level=level)

    def _garbled(self, raw: str) -> Label:
        return Label(source=self.origin, raw=_printable(raw), result=LabelResult.GARBLED, level=None)

    def _looked_up(self, raw: str, key: str, values: Mapping[str, str | None]) -> Label:
        return self._label(raw, values[key]) if key in values else self._garbled(raw)


def read_labels(scan: Scan, sources: Iterable[LabelSource], levels: tuple[str, ...]) -> tuple[Label, ...]:
    """All labels of all sources, in the sources' order; a level that is not among ``levels`` is garbled.

    Of more than `MAX_LABELS` the others are not read, and the last one that is counts as garbled.
    """
    all_of_them = (label for source in sources for label in source.read(scan))
    labels = [_known(label, levels) for label in islice(all_of_them, MAX_LABELS)]
    if len(labels) == MAX_LABELS:
        labels[-1] = replace(labels[-1], result=LabelResult.GARBLED, level=None)
    return tuple(labels)


def fold_value(text: str) -> str:
    """A field's value as tables compare it: without case; hyphens, underscores and runs of space are alike."""
    return " ".join(text.translate(_SPACERS).casefold().split())


def fold_keys(values: Mapping[str, _L], fold: Callable[[str], str], kind: str, of: str = "") -> Mapping[str, _L]:
    """A table of values or marks by their folded form.

    Raises:
        ValueError: one is empty, or two spellings of one name different levels.
    """
    folded: dict[str, _L] = {}
    for value, level in values.items():
        key = fold(value)
        if not key:
            raise ValueError(f"an empty {kind}{of} cannot name a level")
        if folded.setdefault(key, level) != level:
            raise ValueError(f"the {kind} {value!r}{of} stands twice with different levels")
    return MappingProxyType(folded)


def levels_of(*tables: Mapping[str, str | None]) -> frozenset[str]:
    """The levels that tables name."""
    return frozenset(level for table in tables for level in table.values() if level is not None)


def read_guid(text: str) -> str:
    """The GUID in lower case, without braces or the spaces of a fold; empty if it is none."""
    guid = "".join(text.split()).strip("{}").casefold()
    return guid if _GUID.fullmatch(guid) else ""


def fold_guid(text: str) -> str:
    """A GUID that a policy names.

    Raises:
        ValueError: it is none.
    """
    guid = read_guid(text)
    if not guid:
        raise ValueError(f"`{text}` is no GUID such as 88914ebd-7e6c-4e12-a031-a9906be2db14")
    return guid


def short_text(value: bytes) -> str | None:
    """A field's decoded text; None if it is longer than any label."""
    return None if len(value) > MAX_VALUE else to_text(value)


def split_pairs(text: str, separator: str) -> list[tuple[str, str]]:
    """``key=value`` pairs, keys without case and space; a piece without ``=`` belongs to the value before it."""
    pairs: list[tuple[str, list[str]]] = []
    for piece in text.split(separator):
        key, equals, value = piece.partition("=")
        if equals:
            pairs.append(("".join(key.split()).casefold(), [value.strip()]))
        elif piece.strip() and pairs:
            pairs[-1][1].append(piece)
        elif piece.strip():
            pairs.append(("", [piece]))
    return [(key, separator.join(pieces)) for key, pieces in pairs]


def _known(label: Label, levels: tuple[str, ...]) -> Label:
    if label.level is None or label.level in levels:
        return label
    return replace(label, result=LabelResult.GARBLED, level=None)


def _printable(raw: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in raw[:_MAX_RAW])
