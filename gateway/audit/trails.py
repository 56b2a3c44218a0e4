"""Where the audit is read from: the exported chains, or the spool itself, whose events are the same but not chained.

Both give events in the order in which they happened, one shard between the others. Left out on purpose: whether a chain
is whole, which `verify` tells; a line that cannot be read is passed over here and found there.
"""

import json
import re
from collections.abc import Iterable, Iterator, Set
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final, Protocol

from pydantic import TypeAdapter, ValidationError

from gateway.audit.files import files_in, shard_folder, shards_in
from gateway.core.audit_line import Line, Malformed, Mark, Open, read_line
from gateway.core.audit_query import Entry
from gateway.core.audit_record import Persons, Record, told
from gateway.spool.outgoing import events_after, shards_of

_PAGE: Final = 500
_QUEUE_ID: Final = re.compile(rb'"queue_id":"([^"]*)"')
_MARKS: Final = re.compile(f'"kind":"(?:{"|".join(Mark)})"'.encode())
_RECORD: Final = TypeAdapter(Record)
_PERSONS: Final = TypeAdapter(Persons)
_NUMBERS: Final = re.compile(rb'\{"shard":(\d+),"seq":(\d+)')
_TIME: Final = attrgetter("record.at")


class Trail(Protocol):
    """Something to read the audit from."""

    def entries(self, mentions: str = "") -> Iterator[Entry]:
        """All events, oldest first; with ``mentions`` at least those in which that text stands, in any case.

        Raises:
            OSError, SpoolError: it cannot be read.
        """
        ...

    def entries_of(self, queue_ids: Set[str]) -> Iterator[Entry]:
        """All events of those messages, oldest first. Raises as `entries` does."""
        ...


class Chains:
    """The exported chains in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self, mentions: str = "") -> Iterator[Entry]:
        """See `Trail`."""
        # As it stands in a line: JSON in ASCII.
        wanted = json.dumps(mentions)[1:-1].lower().encode()
        return self._merged(lambda line: wanted in line.lower())

    def entries_of(self, queue_ids: Set[str]) -> Iterator[Entry]:
        """See `Trail`."""
        wanted = {queue_id.encode() for queue_id in queue_ids}
        return self._merged(lambda line: (found := _QUEUE_ID.search(line)) is not None and found[1] in wanted)

    def _merged(self, wanted: "_Wanted") -> Iterator[Entry]:
        return merge(*(self._shard(shard, wanted) for shard in shards_in(self._folder)), key=_TIME)

    def _shard(self, shard: int, wanted: "_Wanted") -> Iterator[Entry]:
        for found in files_in(shard_folder(self._folder, shard)):
            with found.path.open("rb") as file:
                for line in file:
                    if wanted(line) and (entry := _entry(line)) is not None:
                        yield entry


class SpoolTrail:
    """The events that the spool still has."""

    def __init__(self, spool_dir: Path) -> None:
        self._spool_dir = spool_dir

    def entries(self, mentions: str = "") -> Iterator[Entry]:
        """See `Trail`; whatever is mentioned, all are given."""
        return merge(*(_events(shard, path) for shard, path in shards_of(self._spool_dir)), key=_TIME)

    def entries_of(self, queue_ids: Set[str]) -> Iterator[Entry]:
        """See `Trail`."""
        return (entry for entry in self.entries() if entry.record.queue_id in queue_ids)


class _Wanted(Protocol):
    def __call__(self, line: bytes, /) -> bool: ...


def _entry(data: bytes) -> Entry | None:
    """None for a mark, for what is no line, and for the end of one that is not written yet."""
    if _MARKS.search(data):
        return None
    try:
        line = read_line(data.removesuffix(b"\n"))
        numbers = _NUMBERS.match(line.event)
        if numbers is None:
            return None
        record = _RECORD.validate_json(line.event)
    except (Malformed, ValidationError):
        return None
    return Entry(
        shard=int(numbers[1]),
        seq=int(numbers[2]),
        record=record,
        persons=_PERSONS.validate_python({name: value.value for name, value in _open(line)}),
        taken=frozenset(name for name, value in line.personal if not isinstance(value, Open)),
    )


def _open(line: Line) -> Iterable[tuple[str, Open]]:
    return ((name, value) for name, value in line.personal if isinstance(value, Open))


def _events(shard: int, path: Path) -> Iterator[Entry]:
    seq = 0
    while page := events_after(path, seq, _PAGE):
        for kept in page:
            seq = kept.seq
            if kept.event is not None:
                record, persons = told(kept.event)
                yield Entry(shard=shard, seq=kept.seq, record=record, persons=persons)
