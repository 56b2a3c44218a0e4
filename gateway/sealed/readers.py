"""Readers: who has a link, whether it opens, and what they try. SQL alone; nothing here hashes a passphrase.

Every guess is counted before it is compared, so that many at once are no more than five.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.core.address import parse_address
from gateway.core.record import QueueId
from gateway.core.sealed import Access, PackageId, Reader, Secret
from gateway.core.sealing import Unlock
from gateway.sealed.guesses import token_hash
from gateway.sealed.schema import micros, moment

TRIES: Final = 5
CODE_FOR: Final = timedelta(minutes=15)
_AN_HOUR: Final = (timedelta(hours=1), 5)
_A_DAY: Final = (timedelta(days=1), 20)
_SELECT: Final = (
    "SELECT readers.*, packages.queue_id, packages.sender, packages.level, packages.route, packages.sealed_at,"
    " packages.expires_at, packages.lasts, packages.size, packages.downloads, packages.hand_off, packages.erased_at"
    " FROM readers JOIN packages ON packages.id = readers.package "
)


def by_token(db: sqlite3.Connection, token: str, now: datetime) -> Reader | None:
    """The same work for every token."""
    row = db.execute(_SELECT + "WHERE token = ?", (token_hash(token),)).fetchone()
    return None if row is None else _reader(row, now)


def one(db: sqlite3.Connection, package: PackageId, number: int, now: datetime) -> Reader | None:
    """One reader."""
    row = db.execute(_SELECT + "WHERE package = ? AND number = ?", (package, number)).fetchone()
    return None if row is None else _reader(row, now)


def of_package(db: sqlite3.Connection, package: PackageId, now: datetime) -> tuple[Reader, ...]:
    """All of them, by number."""
    rows = db.execute(_SELECT + "WHERE package = ? ORDER BY number", (package,)).fetchall()
    return tuple(_reader(row, now) for row in rows)


_NEWEST: Final = """
WHERE packages.id IN (
    SELECT id FROM packages WHERE (:after IS NULL OR sealed_at < (SELECT sealed_at FROM packages WHERE id = :after))
    AND (:text = '' OR instr(lower(id || ' ' || queue_id || ' ' || sender), :text) OR EXISTS (
        SELECT 1 FROM readers WHERE readers.package = packages.id AND instr(lower(address), :text)))
    ORDER BY sealed_at DESC, id LIMIT :limit)
ORDER BY packages.sealed_at DESC, packages.id, number
"""


def newest(db: sqlite3.Connection, now: datetime, text: str, after: PackageId | None, limit: int) -> tuple[Reader, ...]:
    """Of the newest packages that have the text somewhere."""
    wanted = {"after": after, "text": text.lower(), "limit": limit}
    return tuple(_reader(row, now) for row in db.execute(_SELECT + _NEWEST, wanted).fetchall())


def remindable(db: sqlite3.Connection, now: datetime, before: datetime, limit: int) -> tuple[Reader, ...]:
    """Open, never opened, not reminded, and about to end."""
    rows = db.execute(
        _SELECT + "WHERE packages.erased_at IS NULL AND expires_at > ? AND expires_at < ? AND opened = 0"
        " AND reminded_at IS NULL AND revoked_at IS NULL AND disowned_at IS NULL AND locked_at IS NULL"
        " ORDER BY expires_at LIMIT ?",
        (micros(now), micros(before), limit),
    ).fetchall()
    return tuple(_reader(row, now) for row in rows)


def may_ask(db: sqlite3.Connection, reader: Reader, now: datetime) -> bool:
    """Whether another code may be sent; it is counted."""
    if reader.access is not Access.OPEN or reader.unlock is Unlock.PASSPHRASE:
        return False
    for span, most in (_AN_HOUR, _A_DAY):
        (count,) = db.execute(
            "SELECT count(*) FROM asked WHERE package = ? AND number = ? AND at > ?",
            (reader.package, reader.number, micros(now - span)),
        ).fetchone()
        if count >= most:
            return False
    db.execute("INSERT INTO asked VALUES (?, ?, ?)", (reader.package, reader.number, micros(now)))
    return True


def set_code(db: sqlite3.Connection, reader: Reader, hashed: str, now: datetime) -> None:
    """The one code that is good from now on."""
    db.execute(
        "UPDATE readers SET code = ?, code_until = ? WHERE package = ? AND number = ?",
        (hashed, micros(now + CODE_FOR), reader.package, reader.number),
    )


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that was counted: what it is compared with; None is nothing that could match."""

    code: str | None
    passphrase: str | None
    kind: Secret
    tries: int


def begin_guess(db: sqlite3.Connection, package: PackageId, number: int, now: datetime) -> Guess | None:
    """Counts it; None where nothing may be tried."""
    row = db.execute(_SELECT + "WHERE package = ? AND number = ?", (package, number)).fetchone()
    if row is None or _access(row, now) is not Access.OPEN or row["tries"] >= TRIES:
        return None
    db.execute("UPDATE readers SET tries = tries + 1 WHERE package = ? AND number = ?", (package, number))
    code = row["code"] if row["code_until"] > micros(now) else None
    kind = Secret.AGREED if row["agreed"] else Secret.PASSPHRASE
    return Guess(code, row["passphrase"], kind, row["tries"] + 1)


def guessed(db: sqlite3.Connection, package: PackageId, number: int, guess: Guess, by: Secret) -> bool:
    """A right guess starts the count anew and uses a code up; False where it came too late for that."""
    code = guess.code if by is Secret.CODE else None
    changed = db.execute(
        "UPDATE readers SET tries = 0, code = NULL WHERE package = ? AND number = ? AND locked_at IS NULL"
        " AND revoked_at IS NULL AND disowned_at IS NULL AND passphrase IS ? AND (? IS NULL OR code IS ?)",
        (package, number, guess.passphrase, code, code),
    )
    return changed.rowcount == 1


def lock_if_spent(db: sqlite3.Connection, package: PackageId, number: int, now: datetime) -> bool:
    """Whether it is now that this reader has no more tries, and no session."""
    spent = db.execute(
        "SELECT 1 FROM readers WHERE package = ? AND number = ? AND tries >= ? AND locked_at IS NULL",
        (package, number, TRIES),
    ).fetchone()
    return spent is not None and _set(db, "locked_at", package, number, now) == 1


def _set(db: sqlite3.Connection, column: str, package: PackageId, number: int | None, now: datetime) -> int:
    changed = db.execute(
        f"UPDATE readers SET {column} = ?, code = NULL WHERE package = ? AND (? IS NULL OR number = ?)"  # noqa: S608
        f" AND {column} IS NULL AND EXISTS (SELECT 1 FROM packages WHERE id = package AND erased_at IS NULL)",
        (micros(now), package, number, number),
    )
    db.execute("DELETE FROM sessions WHERE package = ? AND (? IS NULL OR number = ?)", (package, number, number))
    return changed.rowcount


def revoke(db: sqlite3.Connection, package: PackageId, number: int | None, now: datetime) -> int:
    """For how many it is closed that was not."""
    return _set(db, "revoked_at", package, number, now)


def disown(db: sqlite3.Connection, package: PackageId, number: int, now: datetime) -> int:
    """The reader says that it is not for them."""
    return _set(db, "disowned_at", package, number, now)


def restore(db: sqlite3.Connection, package: PackageId, number: int | None) -> int:
    """For how many it opens again."""
    return db.execute(
        "UPDATE readers SET revoked_at = NULL, disowned_at = NULL, locked_at = NULL, tries = 0 WHERE package = ?"
        " AND (? IS NULL OR number = ?)"
        " AND (revoked_at IS NOT NULL OR disowned_at IS NOT NULL OR locked_at IS NOT NULL)"
        " AND EXISTS (SELECT 1 FROM packages WHERE id = package AND erased_at IS NULL)",
        (package, number, number),
    ).rowcount


def _reader(row: sqlite3.Row, now: datetime) -> Reader:
    return Reader(
        package=PackageId(row["package"]),
        number=row["number"],
        address=parse_address(row["address"]),
        unlock=Unlock(row["unlock"]),
        agreed=bool(row["agreed"]),
        access=_access(row, now),
        queue_id=QueueId(row["queue_id"]),
        sender=parse_address(row["sender"]),
        level=row["level"],
        route=row["route"],
        sealed_at=moment(row["sealed_at"]),
        expires_at=moment(row["expires_at"]),
        lasts=timedelta(microseconds=row["lasts"]),
        size=row["size"],
        opened=row["opened"],
        opened_at=moment(row["opened_at"]) if row["opened_at"] is not None else None,
        downloaded=row["downloaded"],
        downloads=row["downloads"],
        hand_off=bool(row["hand_off"]),
    )


def _access(row: sqlite3.Row, now: datetime) -> Access:
    closed = {
        Access.ERASED: row["erased_at"] is not None,
        Access.REVOKED: row["revoked_at"] is not None,
        Access.DISOWNED: row["disowned_at"] is not None,
        Access.EXPIRED: row["expires_at"] <= micros(now),
        Access.LOCKED: row["locked_at"] is not None,
    }
    return next((access for access, holds in closed.items() if holds), Access.OPEN)
