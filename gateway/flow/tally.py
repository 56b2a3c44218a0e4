"""What is to be told later, gathered per topic in the shared state, so that it survives a restart.

A topic's window opens with its first line and lasts a day; each writer keeps its lines of a window under a key of its
own, so no two ever write the same. A power cut may lose lines (the state is a memory, not a promise): the audit, which
is none, has them all.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.core.digest import Batch, Line, Topic, joined
from gateway.flow.ports import Clock, Ids, SpoolError, StateStore

WINDOW: Final = timedelta(hours=24)
SLACK: Final = timedelta(minutes=5)
"""After its end a window is left alone so long: a writer may have looked at the clock just before."""
_MOST_BYTES: Final = 60 * 1024
"""Of one batch; a value of the state has at most 64 KiB."""
KEEP: Final = timedelta(days=14)
"""How long lines wait for a gateway that is down."""
MOST_KEYS: Final = 100
"""Values that are read at once; what is beyond them waits for the next round."""

_OPEN: Final = "notify/open/"
_MORE: Final = "notify/more/"
_BATCH: Final = TypeAdapter(Batch)


@dataclass(frozen=True, slots=True)
class Due:
    """A batch whose window is over, and the keys that it was read from."""

    batch: Batch
    keys: tuple[str, ...]


class Tally:
    """One writer. Every method raises SpoolError if the state cannot be used; what is damaged there is as absent."""

    def __init__(self, state: StateStore, clock: Clock, ids: Ids) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids
        self._name = ""
        self._writing = asyncio.Lock()

    async def opens(self, topic: Topic) -> bool:
        """Whether this is the topic's first for a day; its window is open from now on."""
        return (await self._window(topic))[1]

    async def add(self, topic: Topic, lines: Sequence[Line]) -> None:
        """Keeps the lines for the digest at the end of the topic's window, which they open if there is none."""
        since, _ = await self._window(topic)
        key = f"{_MORE}{since:%Y%m%dT%H%M%S}/{_name_of(topic)}/{self._writer()}"
        async with self._writing:
            kept, new = _read(await self._state.get(key)), Batch(topic=topic, since=since)
            if kept is None or (kept.topic, kept.since) != (topic, since):
                kept = new
            await self._state.put(key, _fitting(kept.with_more(lines)), since + KEEP)

    async def due(self) -> tuple[Due, ...]:
        """What can be told now, one batch for each topic and window."""
        now, found = self._clock.now(), dict[tuple[Topic, datetime], dict[str, Batch]]()
        for key, value in (await self._state.items(_MORE, MOST_KEYS)).items():
            batch = _read(value)
            if batch is not None and batch.since <= now - WINDOW - SLACK:
                found.setdefault((batch.topic, batch.since), {})[key] = batch
        return tuple(Due(joined(batches.values()), tuple(batches)) for batches in found.values())

    async def forget(self, due: Due) -> None:
        """It has been told."""
        for key in due.keys:
            await self._state.delete(key)

    async def _window(self, topic: Topic) -> tuple[datetime, bool]:
        """When the topic's window began, and whether that was just now."""
        now, key = self._clock.now().replace(microsecond=0), _OPEN + _name_of(topic)
        own = f"{now.isoformat()} {self._ids.new()}".encode()
        held = await self._state.put_if_absent(key, own, now + WINDOW)
        since = _since(held)
        if since is None or not now - WINDOW - SLACK <= since <= now + SLACK:
            # A damaged value opens no window, so this one opens now.
            await self._state.put(key, own, now + WINDOW)
            return now, True
        return since, held == own

    def _writer(self) -> str:
        self._name = self._name or self._ids.new()
        return self._name


def _name_of(topic: Topic) -> str:
    return hashlib.sha256(f"{topic.about}\n{topic.mailbox}\n{topic.rule}".encode("utf-8", "replace")).hexdigest()[:32]


def _fitting(batch: Batch) -> bytes:
    """The batch as it is kept; where addresses are very long it lists fewer lines, and counts them all the same.

    Raises:
        SpoolError: the names of its topic alone are longer than a value may be.
    """
    while len(data := _BATCH.dump_json(batch)) > _MOST_BYTES:
        if not batch.lines:
            raise SpoolError("the rule's name is too long to be kept")
        batch = replace(batch, lines=batch.lines[:-10])
    return data


def _read(value: bytes | None) -> Batch | None:
    """The batch, or None for nothing, for what is damaged, and for what a newer gateway may have written."""
    try:
        batch = _BATCH.validate_json(value) if value is not None else None
    except ValidationError:
        return None
    if batch is None or not all(map(_is_utc, (batch.since, *(line.at for line in batch.lines)))):
        return None
    return batch


def _since(value: bytes) -> datetime | None:
    """When the window began; None if that cannot be read."""
    try:
        since = datetime.fromisoformat(value.decode().split(" ")[0])
    except ValueError:
        return None
    return since if _is_utc(since) else None


def _is_utc(at: datetime) -> bool:
    return at.utcoffset() == timedelta(0)
