"""Exchange message classifications: ``x-microsoft-classID`` and ``x-microsoft-classification`` (MS-OXCMAIL 2.5.1).

A field is read where the policy gives it a table. ``X-MS-Exchange-Organization-Classification`` is not: Exchange takes
it off at the boundary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import LabelSource, fold_guid, fold_keys, fold_value, levels_of, read_guid, short_text

_ID: Final = "x-microsoft-classID"
_NAME: Final = "x-microsoft-classification"


@dataclass(frozen=True, slots=True)
class ExchangeSource(LabelSource):
    """Levels by the classification's GUID, by its name, or both.

    Raises:
        ValueError: an id is no GUID, or a name is empty or stands twice with different levels.
    """

    ids: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", fold_keys(self.ids, fold_guid, "id"))
        object.__setattr__(self, "names", fold_keys(self.names, fold_value, "name"))

    @property
    def origin(self) -> str:
        return "Exchange classification"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.ids, self.names)

    def read(self, scan: Scan) -> Iterator[Label]:
        for name, values, fold in ((_ID, self.ids, read_guid), (_NAME, self.names, fold_value)):
            for value in scan.values(name) if values else ():
                text = short_text(value)
                if text is None:
                    yield self._garbled(name)
                elif not value:
                    yield self._label("", None)
                else:
                    yield self._looked_up(text, fold(text), values)
