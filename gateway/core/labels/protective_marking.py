"""Protective markings: ``X-Protective-Marking``, or ``[SEC=…]`` in the subject (Australian EPMS, 2005.6 to 2025.1).

The field beats the subject, as the standard says. Only the security classification is read: caveats and handling
instructions name no level of their own, and none is repeated: they are the sender's words. Field names and subjects
are folded, so case and space never matter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.facts import Label, LabelResult, Scan
from gateway.core.labels.base import LabelSource, fold_keys, fold_value, levels_of, short_text, split_pairs
from gateway.core.subject import subjects

_FIELD: Final = "X-Protective-Marking"
_VERSION = re.compile(r"\d{4}\.\d{1,2}", re.ASCII)
# A tag that the end of the subject cut off is still somebody's marking.
_TAG = re.compile(r"\[ ?(sec ?=[^\]]*+)(\]?)")
_END = re.compile(r"[\[\],]")
_MAX_RAW: Final = 40


def _fold(text: str) -> str:
    """``OFFICIAL: Sensitive`` and ``OFFICIAL:Sensitive`` are one value."""
    return fold_value(text).replace(" :", ":").replace(": ", ":")


def _shown(value: str) -> str:
    """What of a folded value may be repeated: up to what cannot be part of one."""
    return _END.split(value, maxsplit=1)[0].strip()[:_MAX_RAW]


@dataclass(frozen=True, slots=True)
class ProtectiveMarkingSource(LabelSource):
    """Markings of one namespace; None is a value of ours that says "no label". ``remove`` is about subject tags.

    Raises:
        ValueError: a value is empty, or two spellings of one value name different levels.
    """

    namespace: str
    values: Mapping[str, str | None]
    remove: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace", self.namespace.casefold())
        object.__setattr__(self, "values", fold_keys(self.values, _fold, "value"))

    @property
    def origin(self) -> str:
        return "protective marking"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.values)

    def read(self, scan: Scan) -> Iterator[Label]:
        fields = [self._field(value) for value in scan.values(_FIELD)]
        yield from fields
        if all(label.result is LabelResult.NO_LABEL for label in fields):
            for tag in (tag for subject in subjects(scan) for tag in _TAG.finditer(subject)):
                yield self._tag(tag)

    def marks_in(self, subject: str) -> tuple[str, ...]:
        return tuple(tag[0] for tag in _TAG.finditer(subject) if tag[0].isprintable())

    def leaving(self, subject: str) -> tuple[str, ...]:
        return self.marks_in(subject) if self.remove else ()

    def _field(self, value: bytes) -> Label:
        text = short_text(value)
        if text is None:
            return self._garbled(_FIELD)
        pairs = split_pairs(text, ",")
        spaces = {given.casefold() for key, given in pairs if key == "ns"}
        if not value or (spaces and self.namespace not in spaces):
            return self._label("", None)
        versions = [given for key, given in pairs if key == "ver"]
        if spaces != {self.namespace} or not versions or not all(map(_VERSION.fullmatch, versions)):
            return self._garbled(_FIELD)
        return self._classified(pairs)

    def _tag(self, tag: re.Match[str]) -> Label:
        """In one that nobody closed the rest of the subject may stand, so only a value of ours is repeated."""
        label, closed = self._classified(split_pairs(tag[1], ",")), tag[2] and "[" not in tag[1]
        return self._garbled("") if label.result is LabelResult.GARBLED and not closed else label

    def _classified(self, pairs: list[tuple[str, str]]) -> Label:
        found = {_fold(given) for key, given in pairs if key == "sec"}
        if len(found) != 1:
            return self._garbled("")
        value = found.pop()
        return self._looked_up(_shown(value), value, self.values)
