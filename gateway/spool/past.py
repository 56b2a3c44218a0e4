"""Messages as the audit kept them, with what was known and what was decided: read from outside, in stretches.

A stretch is small enough for a process of its own. What never was a relayed message has no facts and is left out.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.core.decision import Decision, Open
from gateway.core.facts import Facts
from gateway.core.record import Event, EventKind
from gateway.flow.ports import SpoolError
from gateway.spool.codec import Unreadable, decode_event, micros
from gateway.spool.schema import open_for_reading

STRETCH: Final = 20_000
"""Events; a message has about four."""

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Stretch:
    """The audit events of one shard from ``first`` to ``last``; messages that were accepted in it are its own."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One message; ``decisions`` has one for each recipient, by address: the first that was not open, if any."""

    queue_id: str
    policy_hash: str
    facts: Facts
    decisions: tuple[tuple[str, Decision], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """The messages of a stretch, and how many of its events could not be read."""

    messages: tuple[Past, ...]
    damaged: int


@dataclass(slots=True)
class _Gathered:
    accepted: Event
    decisions: dict[int, Event] = field(default_factory=dict[int, Event])

    def add(self, event: Event) -> None:
        number = -1 if event.recipient is None else event.recipient
        before = self.decisions.get(number)
        if before is None or isinstance(before.decision, Open):
            self.decisions[number] = event

    @property
    def open(self) -> bool:
        return not self.decisions or any(isinstance(event.decision, Open) for event in self.decisions.values())


def stretches(spool_dir: Path, since: datetime, length: int = STRETCH) -> tuple[Stretch, ...]:
    """All that was written since then, over all shards. Raises SpoolError."""
    found: list[Stretch] = []
    for path in sorted(spool_dir.glob("shard-[0-9][0-9][0-9]/spool.db")):
        first, last = _span(path, since)
        found += [Stretch(path, at, min(at + length - 1, last)) for at in range(first, last + 1, length)]
    return tuple(found)


def read(stretch: Stretch) -> Read:
    """The messages that were accepted in the stretch, with later decisions of those that were open. Raises SpoolError.

    Pages are small, so that no writer's log grows because somebody reads.
    """
    gathered: dict[str, _Gathered] = {}
    damaged = 0
    at = stretch.first - 1
    while page := _page(stretch.path, at, stretch.last):
        at = page[-1][0]
        damaged += _gather(gathered, (record for _, record in page))
    late = [queue_id for queue_id, one in gathered.items() if one.open] + list(gathered)[-1:]
    for queue_id in dict.fromkeys(late):
        damaged += _gather(gathered, _later(stretch, queue_id))
    return Read(tuple(_past(one) for one in gathered.values() if one.accepted.facts is not None), damaged)


def _gather(gathered: dict[str, _Gathered], records: Iterable[str]) -> int:
    """Returns how many could not be read."""
    damaged = 0
    for record in records:
        try:
            event = decode_event(record)
        except Unreadable:
            damaged += 1
            continue
        if event.kind is EventKind.ACCEPTED:
            gathered[event.queue_id] = _Gathered(event)
        elif event.queue_id in gathered:
            gathered[event.queue_id].add(event)
    return damaged


def _past(gathered: _Gathered) -> Past:
    accepted = gathered.accepted
    assert accepted.facts is not None
    decisions = [(one.address, one.decision) for one in gathered.decisions.values() if one.decision is not None]
    return Past(
        queue_id=accepted.queue_id,
        policy_hash=accepted.policy_hash,
        facts=accepted.facts,
        decisions=tuple(decisions),
    )


# What is no JSON is read too, and counted as damaged.
_KINDS: Final = (
    "(NOT json_valid(record) OR"
    f" json_extract(record, '$.event.kind') IN ('{EventKind.ACCEPTED}', '{EventKind.DECIDED}'))"
)


def _span(path: Path, since: datetime) -> tuple[int, int]:
    """The first event since then and the last; an empty span has its end before its beginning."""
    [(last,)] = _ask(path, "SELECT coalesce(max(seq), 0) FROM events", ())
    first = _ask(path, "SELECT seq FROM events WHERE at >= ? ORDER BY seq LIMIT 1", (micros(since),))
    return (int(first[0][0]), int(last)) if first else (1, 0)


def _page(path: Path, after: int, last: int) -> list[tuple[int, str]]:
    where = f"seq > ? AND seq <= ? AND {_KINDS}"
    sql = f"SELECT seq, record FROM events WHERE {where} ORDER BY seq LIMIT {_PAGE}"  # noqa: S608  Only our own text.
    return [(int(seq), str(record)) for seq, record in _ask(path, sql, (after, last))]


def _later(stretch: Stretch, queue_id: str) -> list[str]:
    sql = f"SELECT record FROM events WHERE queue_id = ? AND seq > ? AND {_KINDS} ORDER BY seq"  # noqa: S608  As above.
    return [str(record) for (record,) in _ask(stretch.path, sql, (queue_id, stretch.last))]


def _ask(path: Path, sql: str, values: tuple[int | str, ...]) -> list[tuple[int | str, ...]]:
    """Tried twice: a worker that starts meanwhile makes the file change under us."""
    for attempt in (1, 2):
        db = open_for_reading(path)
        try:
            return db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            if attempt == 2:
                raise SpoolError(f"cannot read {path}: {error}") from error
        finally:
            db.close()
    raise AssertionError("unreachable")
