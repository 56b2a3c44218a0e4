"""Which next hops most recipients wait for, and what the oldest of them met: read from outside, from an index.

A queue of any length is counted; only one record for each next hop shown is read.
"""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.core.outcome import Outcome
from gateway.core.record import QueueId, State
from gateway.flow.ports import SpoolError
from gateway.spool.codec import decode_row, moment
from gateway.spool.schema import open_for_reading

_HOPS: Final = (
    "SELECT next_hop, state, count(*), min(queue_id) FROM recipients INDEXED BY recipients_due"
    " WHERE due_at IS NOT NULL GROUP BY next_hop, state"
)
_OLDEST: Final = (
    "SELECT m.accepted_at, r.record FROM recipients r JOIN messages m USING (queue_id)"
    " WHERE r.queue_id = ? AND r.next_hop = ? AND r.state = ? AND r.due_at IS NOT NULL ORDER BY r.number LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Recipients of one ``next_hop`` ("<route>:<domain or host>", empty for what has none yet) in one state.

    ``since`` is when the oldest was accepted, ``last`` what its latest attempt came to; None before the first.
    """

    next_hop: str
    state: State
    recipients: int
    queue_id: QueueId
    since: datetime
    last: Outcome | None


def stuck(spool_dir: Path, most: int) -> tuple[Stuck, ...]:
    """At most so many, those with most recipients first. Raises SpoolError."""
    found: dict[tuple[str, State], Stuck] = {}
    for path in sorted(spool_dir.glob("shard-[0-9][0-9][0-9]/spool.db")):
        for one in _of_shard(path, most):
            key = one.next_hop, one.state
            found[key] = _together(found[key], one) if key in found else one
    return tuple(sorted(found.values(), key=lambda one: (-one.recipients, one.since))[:most])


def _together(one: Stuck, other: Stuck) -> Stuck:
    older = min(one, other, key=lambda each: each.since)
    return replace(older, recipients=one.recipients + other.recipients)


def _of_shard(path: Path, most: int) -> list[Stuck]:
    """Of next hops with few recipients the record is not read."""
    db = open_for_reading(path)
    try:
        rows = sorted(db.execute(_HOPS).fetchall(), key=lambda row: -row[2])
        return [one for row in rows[:most] if (one := _read(db, *row)) is not None]
    except sqlite3.Error as error:
        raise SpoolError(f"cannot read {path}: {error}") from error
    finally:
        db.close()


def _read(db: sqlite3.Connection, next_hop: str, state: str, recipients: int, queue_id: str) -> Stuck | None:
    """None for one that ended in between."""
    row = db.execute(_OLDEST, (queue_id, next_hop, state)).fetchone()
    if row is None:
        return None
    return Stuck(
        next_hop=next_hop,
        state=State(state),
        recipients=recipients,
        queue_id=QueueId(queue_id),
        since=moment(row[0]),
        last=decode_row(row[1]).last,
    )
