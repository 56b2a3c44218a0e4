"""Microsoft sensitivity labels: the field ``msip_labels``, and the older ``msip_label_<guid>_<attribute>`` fields.

An answer may carry labels of other tenants, so entries are told apart by their SiteId and levels are mapped by the
label's GUID, which alone is repeated; its name is what an administrator called it that year. Labels inside attached
files are not read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.core.facts import Label, Scan
from gateway.core.labels.base import (
    GUID,
    LabelSource,
    fold_guid,
    fold_keys,
    levels_of,
    read_guid,
    short_text,
    split_pairs,
)

_FIELD: Final = "msip_labels"
_ATTRIBUTE = re.compile(rf"msip_label_({GUID})_([a-z]{{1,40}})")


@dataclass(slots=True)
class _Entry:
    """What was said of one label; two values of one attribute contradict each other."""

    enabled: set[str] = field(default_factory=set[str])
    sites: set[str] = field(default_factory=set[str])

    def take(self, attribute: str, value: str) -> None:
        match attribute:
            case "enabled":
                self.enabled.add("".join(value.split()).casefold())
            case "siteid":
                self.sites.add(read_guid(value))
            case _:
                pass


@dataclass(frozen=True, slots=True)
class MsipSource(LabelSource):
    """The labels of one tenant, ``site``, by their GUIDs; None is a label of ours that says "no label".

    Raises:
        ValueError: the site or a label is no GUID.
    """

    site: str
    labels: Mapping[str, str | None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", fold_guid(self.site))
        object.__setattr__(self, "labels", fold_keys(self.labels, fold_guid, "label"))

    @property
    def origin(self) -> str:
        return "Microsoft label"

    @property
    def levels(self) -> frozenset[str]:
        return levels_of(self.labels)

    def read(self, scan: Scan) -> Iterator[Label]:
        entries: dict[str, _Entry] = {}
        for value in scan.values(_FIELD):
            text = short_text(value)
            if not value:
                yield self._label("", None)
            elif text is None or not _gather(entries, split_pairs(text, ";")):
                yield self._garbled(_FIELD)
        single = [each for each in scan.fields if _ATTRIBUTE.fullmatch(each.name.casefold())]
        _gather(entries, ((each.name.casefold(), short_text(each.value) or "") for each in single if each.value))
        for guid, entry in entries.items():
            yield self._judge(guid, entry)

    def _judge(self, guid: str, entry: _Entry) -> Label:
        """Another tenant's label, or one taken back, is none; what is not certainly one of those counts as ours."""
        foreign = bool(entry.sites) and entry.sites.isdisjoint((self.site, ""))
        if foreign or entry.enabled == {"false"}:
            return self._label(guid, None)
        if entry.sites == {self.site} and entry.enabled == {"true"}:
            return self._looked_up(guid, guid, self.labels)
        return self._garbled(guid)


def _gather(entries: dict[str, _Entry], pairs: Iterable[tuple[str, str]]) -> bool:
    """Puts the attributes to their labels; whether there was one at all."""
    found = False
    for key, value in pairs:
        match = _ATTRIBUTE.fullmatch(key)
        if match is not None:
            found = True
            entries.setdefault(match[1], _Entry()).take(match[2], value)
    return found
