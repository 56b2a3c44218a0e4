"""A header field whose value names the level, such as ``Sensitivity`` (RFC 2156, RFC 4021) or a site's own field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import MAX_VALUE, LabelSource, fold_keys, fold_value, levels_of
from gateway.core.words import to_text


@dataclass(frozen=True, slots=True)
class HeaderSource(LabelSource):
    """A field whose value names the level; None is a value of ours that says "no label".

    Raises:
        ValueError: a value is empty, or two spellings of one value name different levels.
    """

    name: str
    values: Mapping[str, str | None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", fold_keys(self.values, fold_value, "value", f" of {self.name}"))

    @property
    def origin(self) -> str:
        return f"header {self.name}"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.values)

    def read(self, scan: Scan) -> Iterator[Label]:
        for value in scan.values(self.name):
            text = to_text(value[:MAX_VALUE])
            if not value:
                yield self._label("", None)
            elif len(value) > MAX_VALUE or not text.replace("\t", " ").isprintable():
                # What nobody can see is no spelling of a value of ours.
                yield self._garbled(text)
            else:
                yield self._looked_up(text, fold_value(text), self.values)
