"""The tables of one shard, and how its database is opened (SQLite, write-ahead log; https://sqlite.org/wal.html).

A record is kept whole as JSON (`codec`); the columns beside it repeat what selections need and are always written
with it. Times are integer microseconds since 1970, UTC.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.flow.ports import SpoolError

VERSION: Final = 2
"""Of the tables and of the records in them. A changed default of a stored record is a new version."""

NEVER: Final = 2**62
"""``due_at`` of a row that was set aside because its record cannot be read."""

PAGE: Final = 8192
"""Bytes of a page: a message of 10 KiB fits in two; measured against 4 and 16 KiB it costs the least."""

# Ended rows keep their record until their message goes, with due_at NULL.
_TABLES: Final = """
CREATE TABLE messages (
    queue_id TEXT PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    policy_hash TEXT NOT NULL,
    path TEXT,
    record TEXT NOT NULL,
    body BLOB
) STRICT;
CREATE INDEX messages_policy ON messages (policy_hash);
CREATE TABLE recipients (
    queue_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    domain TEXT NOT NULL,
    next_hop TEXT NOT NULL,
    due_at INTEGER,
    record TEXT NOT NULL,
    PRIMARY KEY (queue_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipients_due ON recipients (next_hop, due_at, queue_id, number, state) WHERE due_at IS NOT NULL;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    queue_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX events_queue_id ON events (queue_id);
CREATE INDEX events_message_id ON events (message_id) WHERE message_id <> '';
CREATE TABLE policies (
    hash TEXT PRIMARY KEY,
    kept_at INTEGER NOT NULL,
    text BLOB NOT NULL
) STRICT;
"""

# For each next hop a time before which none of its rows is due: how a claim passes over a busy or waiting destination
# without a look at its rows. It is made anew at each opening, so it needs no disk and no repair.
_HOPS: Final = """
CREATE TEMP TABLE hops (next_hop TEXT PRIMARY KEY, due_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX temp.hops_due ON hops (due_at);
INSERT INTO hops SELECT next_hop, min(due_at) FROM recipients WHERE due_at IS NOT NULL GROUP BY next_hop;
"""


def open_for_writing(path: Path, log: int) -> sqlite3.Connection:
    """Opens (or makes) the shard's database for its one writer; the caller holds the shard's lock.

    ``log`` is the size in bytes at which the write-ahead log is folded back. The connection may be used by another
    thread than the one that opened it, by one at a time.

    Raises:
        SpoolError: damaged, of a newer version, or not ours.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=256)
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"cannot open {path}: {error}") from error
    try:
        _prepare(db, log)
    except sqlite3.Error as error:
        db.close()
        raise SpoolError(f"cannot use {path}: {error}") from error
    except SpoolError:
        db.close()
        raise
    return db


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Opens the shard's database beside its writer, whom it never blocks; creates and changes nothing.

    SQLite would create the log and its index even for a reader, so without a log, when nobody has the database open,
    it is read as an immutable file. Use by another thread as above.

    Raises:
        SpoolError: there is none, or it is of another version.
    """
    quiet = not path.with_name(path.name + "-wal").exists()
    uri = f"file:{quote(str(path.resolve()))}?mode=ro&{'immutable=1' if quiet else 'readonly_shm=1'}"
    try:
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
    except sqlite3.Error as error:
        raise SpoolError(f"cannot read {path}: {error}") from error
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        db.close()
        raise SpoolError(f"cannot read {path}: {error}") from error
    if version != VERSION:
        db.close()
        raise SpoolError(f"the spool has version {version}, this program knows {VERSION}")
    return db


def _prepare(db: sqlite3.Connection, log: int) -> None:
    db.execute(f"PRAGMA page_size = {PAGE}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    db.execute(f"PRAGMA wal_autocheckpoint = {max(1, log // PAGE)}")
    _make_or_check(db)
    db.executescript(_HOPS)


def _make_or_check(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise SpoolError(f"the spool has version {version}, this program knows {VERSION}")
