"""Questions about one shard that change nothing, as statements: used by the spool itself and by `reader`."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.core.address import Address
from gateway.core.record import Event, QueueId, State
from gateway.flow.ports import QueueFilter, QueueItem, QueueSize, SpoolError
from gateway.spool.body_keys import BodyKeys
from gateway.spool.codec import decode_event, decode_message, decode_row, micros, moment

WAITING: Final = tuple(state for state in State if state.waits)


def items(
    db: sqlite3.Connection, filter: QueueFilter, after: tuple[QueueId, int] | None, limit: int, keys: BodyKeys
) -> tuple[QueueItem, ...]:
    """A page of rows ordered by (queue id, number), strictly behind ``after``; damaged ones are passed over."""
    where, values = _where(filter)
    sql = (
        "SELECT r.queue_id, r.number, m.record, r.record FROM recipients r JOIN messages m USING (queue_id)"  # noqa: S608
        f" WHERE (r.queue_id, r.number) > (?, ?) AND {where} ORDER BY r.queue_id, r.number LIMIT ?"
    )
    place: tuple[str, int] = after or ("", -1)
    page: list[QueueItem] = []
    while len(page) < limit:
        found = db.execute(sql, (*place, *values, limit - len(page))).fetchall()
        if not found:
            break
        page += [item for _, _, message, row in found if (item := _item(message, row, keys)) is not None]
        place = found[-1][0], found[-1][1]
    return tuple(page)


def _item(message: str, row: str, keys: BodyKeys) -> QueueItem | None:
    try:
        return QueueItem(message=decode_message(message, None, keys), row=decode_row(row))
    except SpoolError:
        return None


def _where(filter: QueueFilter) -> tuple[str, list[str | int]]:
    states = sorted(state.value for state in filter.states)
    where = f"r.state IN ({','.join('?' * len(states))})"
    values: list[str | int] = [*states]
    if filter.queue_id is not None:
        where += " AND r.queue_id = ?"
        values.append(filter.queue_id)
    if filter.domain is not None:
        where += " AND r.domain = ?"
        values.append(filter.domain)
    if filter.due_before is not None:
        where += " AND r.due_at < ?"
        values.append(micros(filter.due_before))
    return where, values


def size(db: sqlite3.Connection) -> QueueSize:
    """Counts from the index of what waits, and the age of the first id, which sorts by time."""
    counted = dict(
        db.execute(
            "SELECT state, count(*) FROM recipients INDEXED BY recipients_due WHERE due_at IS NOT NULL GROUP BY state"
        ).fetchall()
    )
    oldest = db.execute("SELECT accepted_at FROM messages ORDER BY queue_id LIMIT 1").fetchall()
    return QueueSize(
        waiting={state: counted.get(state.value, 0) for state in WAITING},
        oldest=moment(oldest[0][0]) if oldest else None,
    )


def add_sizes(sizes: Sequence[QueueSize]) -> QueueSize:
    """Of several shards together."""
    return QueueSize(
        waiting={state: sum(one.waiting[state] for one in sizes) for state in WAITING},
        oldest=min((one.oldest for one in sizes if one.oldest is not None), default=None),
    )


def events(db: sqlite3.Connection, queue_id: QueueId | None, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
    """Events in the order they were written, strictly behind the sequence number ``after``."""
    if queue_id is None:
        sql, values = "seq > ?", (after,)
    else:
        sql, values = "queue_id = ? AND seq > ?", (queue_id, after)
    found = db.execute(f"SELECT seq, record FROM events WHERE {sql} ORDER BY seq LIMIT ?", (*values, limit))  # noqa: S608
    return tuple((number, decode_event(record)) for number, record in found.fetchall())


def queue_ids_about(
    db: sqlite3.Connection, address: Address, since: datetime, most: int
) -> tuple[tuple[datetime, QueueId], ...]:
    """The messages from or to that address, by their newest event since then, newest first.

    There is no index of addresses: every event since then is looked at, newest first, until there are so many.
    """
    found: dict[QueueId, datetime] = {}
    sql = "SELECT at, queue_id, record FROM events WHERE at >= ? AND instr(lower(record), ?) ORDER BY seq DESC"
    part = json.dumps(str(address).lower(), ensure_ascii=False)[1:-1]
    for at, queue_id, record in db.execute(sql, (micros(since), part)):
        if queue_id not in found and _is_about(decode_event(record), address):
            found[QueueId(queue_id)] = moment(at)
            if len(found) == most:
                break
    return tuple((at, queue_id) for queue_id, at in found.items())


def _is_about(event: Event, address: Address) -> bool:
    sender = event.reverse_path
    if isinstance(sender, Address) and sender.key == address.key:
        return True
    return event.address.lower() == str(address).lower()


def queue_ids_of(db: sqlite3.Connection, message_id: str, limit: int) -> tuple[QueueId, ...]:
    """The messages whose events name that Message-ID, oldest first."""
    found = db.execute(
        "SELECT DISTINCT queue_id FROM events WHERE message_id = ? AND message_id <> '' ORDER BY queue_id LIMIT ?",
        (message_id, limit),
    )
    return tuple(QueueId(row[0]) for row in found.fetchall())
