"""Finding what is due: oldest first over all destinations, without a look at the rows of a busy one.

``temp.hops`` gives each next hop a time before which none of its rows is due. Hops are opened in that order and merged
by their first free row, so a claim costs as much as it returns, whatever else waits. The times are corrected here.
"""

import heapq
import sqlite3
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.core.record import QueueId
from gateway.spool.leases import Group
from gateway.spool.schema import NEVER

_PAGE: Final = 32

_Place: TypeAlias = tuple[int, str, int]
"""due_at, queue_id, number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """``now`` is in microseconds; ``not_to`` are next hops to pass over, ``taken`` groups under a lease.

    The messages in ``known`` need not be read.
    """

    now: int
    limit: int
    not_to: frozenset[str]
    taken: frozenset[Group]
    known: Container[QueueId] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One lease's worth, as stored: the due rows' records, and the message's (None if it is known or missing)."""

    queue_id: QueueId
    next_hop: str
    rows: tuple[str, ...]
    message: str | None
    body: bytes | None


def find_due(db: sqlite3.Connection, wanted: Wanted) -> list[Found]:
    """At most ``limit`` groups, the one with the oldest row first."""
    merge = _Merge(db, wanted)
    groups: dict[Group, None] = {}
    while len(groups) < wanted.limit and (group := merge.next(groups)) is not None:
        groups[group] = None
    merge.correct_hops()
    return [_load(db, queue_id, next_hop, wanted) for queue_id, next_hop in groups]


def next_due(db: sqlite3.Connection, wanted: Wanted) -> int | None:
    """When the first free row is due (``now`` and ``limit`` are not read); None if there is none."""
    best = NEVER
    for next_hop, bound in db.execute("SELECT next_hop, due_at FROM hops ORDER BY due_at"):
        if bound >= best:
            break
        if next_hop not in wanted.not_to:
            free = (place for place in _places(db, next_hop, NEVER - 1) if (place[1], next_hop) not in wanted.taken)
            best = min(best, next(free, (NEVER, "", 0))[0])
    return best if best < NEVER else None


class _Merge:
    """A merge of the hops' due rows that opens a hop only when it may hold the next one."""

    def __init__(self, db: sqlite3.Connection, wanted: Wanted) -> None:
        self._db = db
        self._wanted = wanted
        self._hops: list[tuple[str, int]] = db.execute(
            "SELECT next_hop, due_at FROM hops WHERE due_at <= ? ORDER BY due_at DESC", (wanted.now,)
        ).fetchall()
        self._heads: list[tuple[_Place, str, Iterator[_Place]]] = []
        self._without_due: list[str] = []

    def next(self, chosen: dict[Group, None]) -> Group | None:
        """The group of the oldest row that is free and not chosen yet."""
        while True:
            while self._hops and (not self._heads or self._hops[-1][1] <= self._heads[0][0][0]):
                self._open(self._hops.pop()[0])
            if not self._heads:
                return None
            place, next_hop, rest = self._heads[0]
            self._advance(next_hop, rest)
            group = (QueueId(place[1]), next_hop)
            if group not in chosen and group not in self._wanted.taken:
                return group

    def _open(self, next_hop: str) -> None:
        if next_hop in self._wanted.not_to:
            return
        rest = _places(self._db, next_hop, self._wanted.now)
        first = next(rest, None)
        if first is None:
            self._without_due.append(next_hop)
        else:
            heapq.heappush(self._heads, (first, next_hop, rest))

    def _advance(self, next_hop: str, rest: Iterator[_Place]) -> None:
        following = next(rest, None)
        if following is None:
            heapq.heappop(self._heads)
        else:
            heapq.heapreplace(self._heads, (following, next_hop, rest))

    def correct_hops(self) -> None:
        """Gives hops that were opened in vain their true time, or forgets them."""
        for next_hop in self._without_due:
            first = next(_places(self._db, next_hop, NEVER - 1), None)
            if first is None:
                self._db.execute("DELETE FROM hops WHERE next_hop = ?", (next_hop,))
            else:
                self._db.execute("UPDATE hops SET due_at = ? WHERE next_hop = ?", (first[0], next_hop))


def _places(db: sqlite3.Connection, next_hop: str, until: int) -> Iterator[_Place]:
    """The hop's rows that are due by then, oldest first, read in pages."""
    after: _Place = (-NEVER, "", -1)
    while page := _page(db, next_hop, until, after):
        yield from page
        after = page[-1]
        if len(page) < _PAGE:
            return


def _page(db: sqlite3.Connection, next_hop: str, until: int, after: _Place) -> list[_Place]:
    return db.execute(
        "SELECT due_at, queue_id, number FROM recipients INDEXED BY recipients_due"
        " WHERE next_hop = ? AND due_at <= ? AND (due_at, queue_id, number) > (?, ?, ?)"
        " ORDER BY due_at, queue_id, number LIMIT ?",
        (next_hop, until, *after, _PAGE),
    ).fetchall()


def _load(db: sqlite3.Connection, queue_id: QueueId, next_hop: str, wanted: Wanted) -> Found:
    # The plus keeps the planner on the primary key: a message has few rows, a hop may have 100,000.
    rows = db.execute(
        "SELECT record FROM recipients WHERE queue_id = ? AND +next_hop = ? AND +due_at <= ? ORDER BY number",
        (queue_id, next_hop, wanted.now),
    ).fetchall()
    if queue_id in wanted.known:
        return Found(queue_id=queue_id, next_hop=next_hop, rows=tuple(row[0] for row in rows), message=None, body=None)
    message = db.execute("SELECT record, body FROM messages WHERE queue_id = ?", (queue_id,)).fetchall()
    record, body = message[0] if message else (None, None)
    return Found(queue_id=queue_id, next_hop=next_hop, rows=tuple(row[0] for row in rows), message=record, body=body)
