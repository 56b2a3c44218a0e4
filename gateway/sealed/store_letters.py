"""What the store keeps for letters of our own: the outbox, and the passwords that a sender is told."""

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.core.sealed import OwnMail
from gateway.sealed import outbox
from gateway.sealed.database import told
from gateway.sealed.keys import KEY_BYTES
from gateway.sealed.schema import micros
from gateway.sealed.store_base import StoreBase
from gateway.sealed.words import passphrase

_OUTBOX: Final = "outbox"


class StoreLetters(StoreBase):
    """See the port."""

    async def password(self, name: str, until: datetime) -> str:
        """See the port."""

        def make(db: sqlite3.Connection) -> bytes:
            seed = self._box.seal_bytes(secrets.token_bytes(KEY_BYTES), name)
            db.execute("DELETE FROM passwords WHERE name = ? AND until <= ?", (name, micros(self._clock.now())))
            db.execute("INSERT OR IGNORE INTO passwords VALUES (?, ?, ?)", (name, micros(until), seed))
            return bytes(db.execute("SELECT seed FROM passwords WHERE name = ?", (name,)).fetchone()[0])

        sealed = await self._db.write(make)
        with told():
            return passphrase(self._box.open_bytes(sealed, name))

    async def known_password(self, name: str, now: datetime) -> str | None:
        """See the port."""

        def look(db: sqlite3.Connection) -> str | None:
            row = db.execute("SELECT seed FROM passwords WHERE name = ? AND until > ?", (name, micros(now))).fetchone()
            return None if row is None else passphrase(self._box.open_bytes(row[0], name))

        return await self._db.read(look)

    async def password_names(self, start: str, now: datetime) -> Sequence[str]:
        """See the port."""

        def look(db: sqlite3.Connection) -> Sequence[str]:
            rows = db.execute("SELECT name FROM passwords WHERE until > ? ORDER BY rowid", (micros(now),))
            return [row["name"] for row in rows.fetchall() if row["name"].startswith(start)]

        return await self._db.read(look)

    async def post(self, mail: OwnMail) -> None:
        """See the port."""
        sealed = await self._db.run(lambda: self._box.seal_bytes(outbox.to_bytes(mail), _OUTBOX))
        await self._db.write(lambda db: db.execute("INSERT INTO outbox (mail) VALUES (?)", (sealed,)).rowcount)

    async def outgoing(self, now: datetime, limit: int) -> Sequence[int]:
        """See the port."""

        def look(db: sqlite3.Connection) -> Sequence[int]:
            rows = db.execute("SELECT id FROM outbox WHERE not_before <= ? ORDER BY id LIMIT ?", (micros(now), limit))
            return [row["id"] for row in rows.fetchall()]

        return await self._db.read(look)

    async def own_mail(self, number: int) -> OwnMail | None:
        """See the port."""

        def look(db: sqlite3.Connection) -> OwnMail | None:
            row = db.execute("SELECT mail FROM outbox WHERE id = ?", (number,)).fetchone()
            return None if row is None else outbox.from_bytes(self._box.open_bytes(row["mail"], _OUTBOX))

        return await self._db.read(look)

    async def put_off(self, number: int, until: datetime) -> None:
        """See the port."""
        change = "UPDATE outbox SET not_before = ? WHERE id = ?"
        await self._db.write(lambda db: db.execute(change, (micros(until), number)).rowcount)

    async def posted(self, numbers: Sequence[int]) -> None:
        """See the port."""
        await self._db.write(
            lambda db: db.executemany("DELETE FROM outbox WHERE id = ?", [(number,) for number in numbers]).rowcount
        )
