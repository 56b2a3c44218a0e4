"""An audit on disk without a gateway: what a spool holds of messages that were accepted and decided."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.core.address import parse_address
from gateway.core.chronicle import entry_events
from gateway.core.decision import Decision
from gateway.core.facts import Facts
from gateway.core.record import Entry, Event, Kind, Message, QueueId, RecipientRow
from gateway.spool.body_keys import NO_KEYS
from gateway.spool.codec import encode_entry, encode_event
from gateway.spool.schema import open_for_writing
from tests.spool.samples import START, message, row

MINUTE = timedelta(minutes=1)


def events(
    queue_id: str,
    facts: Facts | None,
    *decided: tuple[str, Decision],
    policy_hash: str = "p1",
    at: datetime = START,
    kind: Kind = Kind.RELAY,
) -> tuple[Event, ...]:
    """What acceptance writes for one message."""
    rows = tuple(
        replace(row(number), recipient=replace(row().recipient, address=parse_address(address)), decision=decision)
        for number, (address, decision) in enumerate(decided)
    )
    accepted = replace(
        message(QueueId(queue_id), rows), facts=facts, policy_hash=policy_hash, accepted_at=at, kind=kind
    )
    return entry_events(accepted, rows)


def keep(spool: Path, message: Message, rows: Iterable[RecipientRow], shard: int = 0) -> None:
    """Puts a message that waits into a shard, with the audit of its acceptance."""
    entry = Entry(message=message, rows=tuple(rows), events=entry_events(message, tuple(rows)))
    stored, recipients, _ = encode_entry(entry, NO_KEYS)
    assert stored is not None
    write(spool, entry.events, shard=shard)
    db = open_for_writing(spool / f"shard-{shard:03d}/spool.db", 1024 * 1024)
    db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", stored)
    db.executemany("INSERT INTO recipients VALUES (?, ?, ?, ?, ?, ?, ?)", recipients)
    db.close()


def write(spool: Path, *groups: Iterable[Event], shard: int = 0) -> None:
    """Adds them to a shard's audit, in order."""
    folder = spool / f"shard-{shard:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    db = open_for_writing(folder / "spool.db", 1024 * 1024)
    rows = [encode_event(event) for group in groups for event in group]
    db.executemany("INSERT INTO events (at, queue_id, message_id, record) VALUES (?, ?, ?, ?)", rows)
    db.close()


def spoil(spool: Path, record: str, shard: int = 0) -> None:
    """Puts that in the place of the first event."""
    db = open_for_writing(spool / f"shard-{shard:03d}/spool.db", 1024 * 1024)
    db.execute("UPDATE events SET record = ? WHERE seq = 1", (record,))
    db.close()
