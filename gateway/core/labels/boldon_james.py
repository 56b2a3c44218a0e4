"""Boldon James Classifier: a small XML document in a field, one element for each part of the label.

It is matched whole against the one form that the product writes. No XML parser reads it, so there are no entities,
document types, comments or nested elements: with one of them it is garbled.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import LabelSource, fold_guid, fold_keys, levels_of, read_guid, short_text

HEADER: Final = "x-bjprotectivemarking"

_QUOTED: Final = r"""(?:"[^"<]*+"|'[^'<]*+')"""
_ATTRIBUTES: Final = rf"(?:\s++[A-Za-z_][\w.:-]*+\s*+=\s*+{_QUOTED})*+\s*+"
_ELEMENT: Final = rf"<element({_ATTRIBUTES})/>"
_DOCUMENT = re.compile(
    rf"\s*+(?:<\?xml{_ATTRIBUTES}\?>\s*+)?<sisl({_ATTRIBUTES})(?:/>|>((?:\s*+{_ELEMENT})*+)\s*+</sisl\s*+>)\s*+",
    re.ASCII,
)
_ELEMENTS = re.compile(_ELEMENT, re.ASCII)
_ATTRIBUTE = re.compile(rf"([A-Za-z_][\w.:-]*+)\s*+=\s*+({_QUOTED})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BoldonJamesSource(LabelSource):
    """Levels by the element's ``uid``; None is a part of the label that says nothing of the level.

    Without ``policy`` the labels of every policy are ours.

    Raises:
        ValueError: the policy is no GUID, or a value is empty or stands twice with different levels.
    """

    values: Mapping[str, str | None]
    header: str = HEADER
    policy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", fold_guid(self.policy) if self.policy else "")
        object.__setattr__(self, "values", fold_keys(self.values, _fold, "value"))

    @property
    def origin(self) -> str:
        return "Boldon James label"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.values)

    def read(self, scan: Scan) -> Iterator[Label]:
        for value in scan.values(self.header):
            text = short_text(value)
            document = None if text is None else _DOCUMENT.fullmatch(text)
            if not value:
                yield self._label("", None)
            elif document is None:
                yield self._garbled(self.header)
            else:
                yield from self._elements(document)

    def _elements(self, document: re.Match[str]) -> Iterator[Label]:
        policy = read_guid(_attributes(document[1]).get("policy", ""))
        elements = [_attributes(element[1]) for element in _ELEMENTS.finditer(document[2] or "")]
        if self.policy and policy and policy != self.policy:
            yield self._label(policy, None)
        elif self.policy and not policy:
            yield self._garbled(self.header)
        elif not elements:
            yield self._label("", None)
        else:
            for element in elements:
                uid = element.get("uid", "")
                yield self._looked_up(uid, _fold(uid), self.values)


def _fold(uid: str) -> str:
    """Without case, and without the space that a fold of the field put in."""
    return "".join(uid.split()).casefold()


def _attributes(text: str) -> dict[str, str]:
    """Names and values; of one that stands twice, which XML forbids, nothing is known."""
    found = [(name, quoted[1:-1]) for name, quoted in _ATTRIBUTE.findall(text)]
    times = Counter(name for name, _ in found)
    return {name: value for name, value in found if times[name] == 1}
