"""Sessions of readers who have shown a code or passphrase: random cookies, of which the database knows hashes alone."""

import hashlib
import secrets
import sqlite3
from datetime import datetime, timedelta
from typing import Final

from gateway.core.sealed import IDLE, Access, PackageId, Reader
from gateway.sealed.readers import one
from gateway.sealed.schema import micros
from gateway.sealed.secrets_box import Box

LONGEST: Final = timedelta(hours=12)
MOST: Final = 200
"""Of one package; beyond it the oldest ends."""
_NOTED_EVERY: Final = timedelta(minutes=1)
_LONGEST_COOKIE: Final = 200


def start(db: sqlite3.Connection, box: Box, package: PackageId, number: int, who: str, now: datetime) -> str:
    """A new one, and an opening; the cookie."""
    cookie = secrets.token_urlsafe(32)
    db.execute(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)",
        (_hash(cookie), package, number, box.seal(who, package) or b"", micros(now), micros(now)),
    )
    db.execute(
        "DELETE FROM sessions WHERE package = ? AND cookie NOT IN"
        " (SELECT cookie FROM sessions WHERE package = ? ORDER BY seen DESC LIMIT ?)",
        (package, package, MOST),
    )
    db.execute(
        "UPDATE readers SET opened = opened + 1, opened_at = coalesce(opened_at, ?) WHERE package = ? AND number = ?",
        (micros(now), package, number),
    )
    return cookie


def find(db: sqlite3.Connection, box: Box, cookie: str, now: datetime) -> tuple[Reader, str] | None:
    """Whose it is, and the name that was given; None once it is over."""
    row = db.execute(
        "SELECT * FROM sessions WHERE cookie = ? AND seen > ? AND started > ?",
        (_hash(cookie), micros(now - IDLE), micros(now - LONGEST)),
    ).fetchone()
    if row is None:
        return None
    reader = one(db, PackageId(row["package"]), row["number"], now)
    if reader is None or reader.access is not Access.OPEN:
        return None
    return reader, box.open(row["who"] or None, reader.package)


def is_stale(db: sqlite3.Connection, cookie: str, now: datetime) -> bool:
    """Whether it is time to note that it is used; not with every request, because each note is a write."""
    row = db.execute("SELECT seen FROM sessions WHERE cookie = ?", (_hash(cookie),)).fetchone()
    return row is not None and row["seen"] < micros(now - _NOTED_EVERY)


def touch(db: sqlite3.Connection, cookie: str, now: datetime) -> None:
    """It is used now."""
    db.execute("UPDATE sessions SET seen = ? WHERE cookie = ?", (micros(now), _hash(cookie)))


def end(db: sqlite3.Connection, cookie: str) -> None:
    """It is over."""
    db.execute("DELETE FROM sessions WHERE cookie = ?", (_hash(cookie),))


def sweep(db: sqlite3.Connection, now: datetime) -> None:
    """Removes those that are over."""
    db.execute("DELETE FROM sessions WHERE seen <= ? OR started <= ?", (micros(now - IDLE), micros(now - LONGEST)))


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie[:_LONGEST_COOKIE].encode("utf-8", "backslashreplace")).digest()
