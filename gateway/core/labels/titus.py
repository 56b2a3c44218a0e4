"""Titus Classification: base64 of JSON in a field, with named properties that each have values.

Bounded by the length of the field. An object in which a key stands twice is malformed, because two programs could
read it differently; so is whatever lacks the list of properties.
"""

import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import MAX_VALUE, LabelSource, fold_keys, fold_value, levels_of

HEADER: Final = "x-titus-metadata-40"


class _Malformed(ValueError):
    """It is not what Titus writes."""


@dataclass(frozen=True, slots=True)
class TitusSource(LabelSource):
    """Levels by the values of the property ``name``; None is a value of ours that says "no label".

    A message without that property has no label of ours.

    Raises:
        ValueError: a value is empty, or two spellings of one value name different levels.
    """

    name: str
    values: Mapping[str, str | None]
    header: str = HEADER

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", fold_keys(self.values, fold_value, "value"))

    @property
    def origin(self) -> str:
        return "Titus label"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.values)

    def read(self, scan: Scan) -> Iterator[Label]:
        for value in scan.values(self.header):
            try:
                found = [text for text in _values(value, self.name) if text] if value else []
            except _Malformed:
                yield self._garbled(self.header)
                continue
            for text in found:
                yield self._looked_up(text, fold_value(text), self.values)
            if not found:
                yield self._label("", None)


def _values(field: bytes, name: str) -> list[str]:
    """The values of the property, wherever it stands in the list. Raises _Malformed."""
    properties = [_table(each) for each in _list(_table(_table(_document(field)).get("Metadata")).get("props"))]
    values = [value for each in properties if each.get("n") == name for value in _list(each.get("vals"))]
    return [_text(_table(value).get("value")) for value in values]


def _document(field: bytes) -> object:
    if len(field) > MAX_VALUE:
        raise _Malformed
    try:
        data = binascii.a2b_base64(b"".join(field.split()), strict_mode=True)
        return json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as exc:
        raise _Malformed from exc


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise _Malformed
    return table


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _Malformed
    return cast("dict[str, object]", value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _Malformed
    return cast("list[object]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Malformed
    return value
