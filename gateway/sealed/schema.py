"""The tables of the store of sealed messages, in microseconds since 1970; nothing of a content is readable in them."""

from datetime import UTC, datetime, timedelta
from typing import Final

NAME: Final = "sealed.db"
VERSION: Final = 2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
PRAGMA foreign_keys = ON;
PRAGMA busy_timeout = 10000;
"""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS own_key (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, wrapped BLOB NOT NULL)
STRICT;
CREATE TABLE IF NOT EXISTS packages (
    id TEXT PRIMARY KEY, delivery_id TEXT NOT NULL UNIQUE, queue_id TEXT NOT NULL, sender TEXT NOT NULL,
    level TEXT NOT NULL, route TEXT NOT NULL, sealed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    lasts INTEGER NOT NULL, size INTEGER NOT NULL, downloads INTEGER, hand_off INTEGER NOT NULL, key_name TEXT,
    wrapped BLOB, face BLOB, file TEXT, erased_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS packages_age ON packages (sealed_at);
CREATE INDEX IF NOT EXISTS packages_end ON packages (expires_at) WHERE erased_at IS NULL;
CREATE TABLE IF NOT EXISTS readers (
    package TEXT NOT NULL REFERENCES packages (id), number INTEGER NOT NULL, address TEXT NOT NULL,
    address_key TEXT NOT NULL, unlock TEXT NOT NULL, agreed INTEGER NOT NULL, token BLOB NOT NULL UNIQUE,
    passphrase TEXT, code TEXT, code_until INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    locked_at INTEGER, revoked_at INTEGER, disowned_at INTEGER, reminded_at INTEGER,
    opened INTEGER NOT NULL DEFAULT 0, opened_at INTEGER, downloaded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (package, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fetched (
    package TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (package, number, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (package TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS asked_by ON asked (package, number);
CREATE TABLE IF NOT EXISTS sessions (
    cookie BLOB PRIMARY KEY, package TEXT NOT NULL, number INTEGER NOT NULL, who BLOB NOT NULL,
    started INTEGER NOT NULL, seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_of ON sessions (package, number);
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, package TEXT NOT NULL, number INTEGER, at INTEGER NOT NULL, what TEXT NOT NULL,
    who BLOB, detail BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS history_of ON history (package);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, mail BLOB NOT NULL, not_before INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS passwords (name TEXT PRIMARY KEY, until INTEGER NOT NULL, seed BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS agreed (address_key TEXT PRIMARY KEY, passphrase TEXT NOT NULL) STRICT;
"""


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time of so many microseconds since 1970."""
    return _EPOCH + at * _MICROSECOND
