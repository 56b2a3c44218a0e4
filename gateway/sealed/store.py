"""The store of sealed messages as its port says (`flow.ports.SealedStore`): one SQLite file, and one file per message.

Several processes use it at once: each operation is one short transaction. What the tables hold is `schema`'s.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.core.sealed import PackageId
from gateway.flow.ports import Clock, SealedStoreError
from gateway.sealed import packages, sessions
from gateway.sealed.database import Database, opening, told
from gateway.sealed.keys import Keyring
from gateway.sealed.schema import micros
from gateway.sealed.secrets_box import own_key, rewrap_own_key
from gateway.sealed.store_letters import StoreLetters
from gateway.sealed.store_messages import StoreMessages
from gateway.sealed.store_readers import StoreReaders

_ORPHAN_AFTER: Final = timedelta(hours=1)
_SWEPT_AT_ONCE: Final = 100


class SealedFiles(StoreMessages, StoreReaders, StoreLetters):
    """See the port. Every method raises SealedStoreError."""

    @classmethod
    async def open(cls, folder: Path, keyring: Keyring, clock: Clock) -> "SealedFiles":
        """Makes what is missing."""

        def make() -> Database:
            database = Database(folder)
            with told():
                (folder / packages.FILES).mkdir(mode=0o700, exist_ok=True)
            return database

        with opening(folder):
            database = await asyncio.to_thread(make)
            try:
                own = await database.write(lambda db: own_key(db, keyring))
            except SealedStoreError:
                await asyncio.to_thread(database.close)
                raise
        store = cls(folder, keyring, database, own, clock)
        database.admit = store.admit
        return store

    async def use(self, keyring: Keyring) -> None:
        """Other keys from now on; they have to open what the store's own key is wrapped with."""
        await self._db.read(lambda db: own_key(db, keyring))
        self._keyring = keyring

    async def sweep(self, now: datetime, erase_before: datetime) -> int:
        """See the port."""

        def over(db: sqlite3.Connection) -> Sequence[PackageId]:
            rows = db.execute(
                "SELECT id FROM packages WHERE erased_at IS NULL AND expires_at < ? ORDER BY expires_at LIMIT ?",
                (micros(erase_before), _SWEPT_AT_ONCE),
            )
            return [PackageId(row["id"]) for row in rows.fetchall()]

        ended = await self._db.read(over)
        for package in ended:
            await self.erase(package, now, "")
        await self._db.write(lambda db: _tidy(db, now))
        kept = await self._db.read(
            lambda db: {row[0] for row in db.execute("SELECT file FROM packages WHERE file IS NOT NULL")}
        )
        before = (now - _ORPHAN_AFTER).timestamp()
        await self._db.run(lambda: packages.remove_files(self._files, kept, before))
        await self._db.fold()
        return len(ended)

    async def forget(self) -> bool:
        """See the port."""
        return await self._db.fold()

    async def rewrap(self) -> int:
        """See the port."""
        count = await self._db.write(lambda db: rewrap_own_key(db, self._keyring))
        while some := await self._db.write(lambda db: packages.rewrap(db, self._keyring)):
            count += some
        await self._db.fold()
        return count

    async def healthy(self) -> bool:
        """See the port."""
        try:
            await self._db.write(lambda db: db.execute("UPDATE own_key SET id = id").rowcount)
        except SealedStoreError:
            return False
        return True

    async def aclose(self) -> None:
        """See the port."""
        await asyncio.to_thread(self._db.close)


def _tidy(db: sqlite3.Connection, now: datetime) -> None:
    """What has run out."""
    sessions.sweep(db, now)
    db.execute("DELETE FROM asked WHERE at < ?", (micros(now - timedelta(days=1)),))
    db.execute("DELETE FROM passwords WHERE until <= ?", (micros(now),))
    db.execute("UPDATE readers SET code = NULL WHERE code IS NOT NULL AND code_until <= ?", (micros(now),))
