"""Label values of ours that the policy does not name, as they were seen lately, so that an administrator can add them.

A memory of a few values for `sealpost check`, never part of a decision. Two workers that see one value in the same
moment may count it once.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.core.facts import Label, LabelResult
from gateway.flow.ports import StateStore

PREFIX: Final = "labels/seen/"
MOST: Final = 200
"""Different values that are kept; what comes later is forgotten."""
KEPT: Final = timedelta(days=30)

OTHER: Final = "(other)"
"""Stands for every value that does not look like a label: somebody's words, which are nobody else's to read."""

_LONGEST: Final = 40
_MOST_WORDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLabel:
    """A value (cut, printable) of a source of ours, how many messages had it, and on which day the last one came."""

    source: str
    value: str
    count: int
    last: date


_STORED: Final = TypeAdapter(SeenLabel)


def labels_of(values: Iterable[bytes]) -> tuple[SeenLabel, ...]:
    """The stored values, the most frequent first; what cannot be read is left out."""
    found: list[SeenLabel] = []
    for value in values:
        try:
            found.append(_STORED.validate_json(value))
        except ValidationError:
            continue
    return tuple(sorted(found, key=lambda seen: (-seen.count, seen.source, seen.value)))


class LabelsSeen:
    """Counts in memory; `write` adds that to what all workers remember."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._new: dict[tuple[str, str], int] = {}

    def note(self, labels: Iterable[Label]) -> None:
        """Remembers those that could not be read."""
        for label in labels:
            key = (label.source, _shown(label.raw))
            if label.result is LabelResult.GARBLED and (key in self._new or len(self._new) < MOST):
                self._new[key] = self._new.get(key, 0) + 1

    async def write(self, now: datetime) -> None:
        """Raises SpoolError; then what was noted since the last time is lost."""
        new, self._new = self._new, {}
        if not new:
            return
        stored = await self._state.items(PREFIX, MOST)
        values: dict[str, bytes] = {}
        for (source, value), count in new.items():
            key = _key(source, value)
            if key in stored or len(stored.keys() | values.keys()) < MOST:
                seen = SeenLabel(source=source, value=value, count=count, last=now.date())
                values[key] = _STORED.dump_json(_added(seen, key, stored))
        await self._state.put_many(values, now + KEPT)


def _shown(raw: str) -> str:
    """What of a label may be remembered; in ``raw`` U+FFFD stands for what cannot be printed."""
    fits = raw and "\ufffd" not in raw and len(raw.split()) <= _MOST_WORDS
    return raw[:_LONGEST] if fits else OTHER


def _added(seen: SeenLabel, key: str, stored: Mapping[str, bytes]) -> SeenLabel:
    before = labels_of([stored[key]]) if key in stored else ()
    return replace(seen, count=seen.count + sum(each.count for each in before))


def _key(source: str, value: str) -> str:
    return PREFIX + hashlib.sha256(f"{source}\0{value}".encode()).hexdigest()[:32]
