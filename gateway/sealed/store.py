"""The store of sealed messages as its port says (`flow.ports.SealedStore`): one SQLite file, and one file per message.

Several processes use it at once: each operation is one short transaction. What the tables hold is `schema`'s.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.core.address import Address
from gateway.core.sealed import (
    Closed,
    Face,
    Happened,
    Happening,
    NewPackage,
    OwnMail,
    PackageId,
    Reader,
    ReaderSecret,
    Tried,
    Unlocked,
    Wrong,
)
from gateway.flow.ports import Clock, SealedStore, SealedStoreError
from gateway.sealed import outbox, packages, readers, sessions, trail
from gateway.sealed.database import Database, told
from gateway.sealed.guesses import hash_secret, matches, new_code, normalise, token_for
from gateway.sealed.keys import KEY_BYTES, Keyring
from gateway.sealed.readers import Guess
from gateway.sealed.schema import micros
from gateway.sealed.secrets_box import Box, own_key, rewrap_own_key
from gateway.sealed.words import passphrase

_FSYNC_WITHIN: Final = 600.0
_ORPHAN_AFTER: Final = timedelta(hours=1)
_SWEPT_AT_ONCE: Final = 100
_OUTBOX: Final = "outbox"


class SealedFiles(SealedStore):
    """See the port. Every method raises SealedStoreError."""

    def __init__(self, folder: Path, keyring: Keyring, database: Database, own: bytes, clock: Clock) -> None:
        """For `open`."""
        self._files = folder / packages.FILES
        self._keyring = keyring
        self._db = database
        self._box = Box(own)
        self._clock = clock
        # Compared with where there is nothing to compare with, so that a guess takes as long.
        self._nothing = hash_secret(secrets.token_hex(), self._box.pepper)

    @classmethod
    async def open(cls, folder: Path, keyring: Keyring, clock: Clock) -> "SealedFiles":
        """Makes what is missing."""

        def make() -> Database:
            database = Database(folder)
            with told():
                (folder / packages.FILES).mkdir(mode=0o700, exist_ok=True)
            return database

        database = await asyncio.to_thread(make)
        try:
            own = await database.write(lambda db: own_key(db, keyring))
        except SealedStoreError:
            await asyncio.to_thread(database.close)
            raise
        return cls(folder, keyring, database, own, clock)

    async def use(self, keyring: Keyring) -> None:
        """Other keys from now on; they have to open what the store's own key is wrapped with."""
        await self._db.read(lambda db: own_key(db, keyring))
        self._keyring = keyring

    async def seal(self, new: NewPackage, content: AsyncIterator[bytes]) -> PackageId:
        """See the port."""
        found = await self._db.read(lambda db: packages.known(db, new.delivery_id))
        if found is not None:
            return found
        sealing = await self._db.run(lambda: packages.Sealing(self._files))
        try:
            async for block in content:
                await self._db.run(lambda block=block: sealing.write(block))
            finished = await self._db.run(lambda: self._finish(new, sealing), _FSYNC_WITHIN)
            kept = await self._db.write(lambda db: self._keep(db, finished))
        except BaseException:
            await asyncio.shield(asyncio.to_thread(sealing.discard))
            raise
        if kept != sealing.package:
            await self._db.run(sealing.discard)
        return kept

    def _finish(self, new: NewPackage, sealing: packages.Sealing) -> packages.Finished:
        index = sealing.finish()
        hashes = packages.hashes_of(new, sealing.keys, self._box)
        return packages.Finished(new=new, sealing=sealing, index=index, hashes=hashes)

    def _keep(self, db: sqlite3.Connection, done: packages.Finished) -> PackageId:
        """Another process may have sealed the same delivery meanwhile; then that one holds."""
        found = packages.known(db, done.new.delivery_id)
        if found is None:
            packages.keep(db, done, self._keyring, self._box)
        return found or done.sealing.package

    async def secrets(self, package: PackageId) -> Mapping[int, ReaderSecret]:
        """See the port."""

        def look(db: sqlite3.Connection) -> dict[int, ReaderSecret]:
            content = packages.content(db, package, self._keyring, self._files)
            if content is None:
                return {}
            now, seed = self._clock.now(), content.keys.seed
            return {
                reader.number: ReaderSecret(token_for(seed, reader.number), _shown(reader, seed))
                for reader in readers.of_package(db, package, now)
            }

        return await self._db.read(look)

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

    async def find(self, token: str, now: datetime) -> Reader | None:
        """See the port."""
        return await self._db.read(lambda db: readers.by_token(db, token, now))

    async def reader(self, package: PackageId, number: int, now: datetime) -> Reader | None:
        """See the port."""
        return await self._db.read(lambda db: readers.one(db, package, number, now))

    async def readers(self, package: PackageId, now: datetime) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.of_package(db, package, now))

    async def list(
        self, now: datetime, *, text: str = "", after: PackageId | None = None, limit: int = 100
    ) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.newest(db, now, text, after, limit))

    async def ask_code(self, package: PackageId, number: int, now: datetime) -> str | None:
        """See the port."""
        code = new_code()
        hashed = await self._db.run(lambda: hash_secret(code, self._box.pepper))

        def ask(db: sqlite3.Connection) -> bool:
            reader = readers.one(db, package, number, now)
            if reader is None or not readers.may_ask(db, reader, now):
                return False
            readers.set_code(db, reader, hashed, now)
            trail.add(db, self._box, package, number, Happening.CODE_SENT, now)
            return True

        return code if await self._db.write(ask) else None

    async def unlock(self, package: PackageId, number: int, secret: str, now: datetime) -> Tried:
        """See the port."""
        guess = await self._db.write(lambda db: readers.begin_guess(db, package, number, now))
        is_code = normalise(secret).isdecimal()
        against = None if guess is None else (guess.code if is_code else guess.passphrase)
        same = await self._db.run(lambda: matches(secret, against or self._nothing, self._box.pepper))
        if guess is None:
            return Closed()
        right = same and against is not None
        return await self._db.write(lambda db: self._tried(db, package, number, guess, now, right=right))

    def _tried(
        self,
        db: sqlite3.Connection,
        package: PackageId,
        number: int,
        guess: Guess,
        now: datetime,
        *,
        right: bool,
    ) -> Tried:
        if right:
            return Unlocked() if readers.guessed(db, package, number, guess) else Closed()
        left = readers.TRIES - guess.tries
        trail.add(db, self._box, package, number, Happening.WRONG, now)
        if left <= 0:
            readers.lock(db, package, number, now)
            trail.add(db, self._box, package, number, Happening.LOCKED, now)
        return Wrong(max(0, left))

    async def open_session(self, package: PackageId, number: int, who: str, now: datetime) -> str:
        """See the port."""

        def start(db: sqlite3.Connection) -> str:
            trail.add(db, self._box, package, number, Happening.OPENED, now, who)
            return sessions.start(db, self._box, package, number, who, now)

        return await self._db.write(start)

    async def session(self, cookie: str, now: datetime) -> tuple[Reader, str] | None:
        """See the port."""
        found, stale = await self._db.read(
            lambda db: (sessions.find(db, self._box, cookie, now), sessions.is_stale(db, cookie, now))
        )
        if found is not None and stale:
            await self._db.write(lambda db: sessions.touch(db, cookie, now))
        return found

    async def end_session(self, cookie: str) -> None:
        """See the port."""
        await self._db.write(lambda db: sessions.end(db, cookie))

    async def face(self, package: PackageId) -> Face | None:
        """See the port."""
        content = await self._content(package)
        return None if content is None else (await self._db.run(content.index)).face

    async def _content(self, package: PackageId) -> packages.Content | None:
        return await self._db.read(lambda db: packages.content(db, package, self._keyring, self._files))

    async def _must(self, package: PackageId) -> packages.Content:
        content = await self._content(package)
        if content is None:
            raise SealedStoreError("the sealed message is not there any more")
        return content

    async def read(self, package: PackageId, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See the port."""
        content = await self._must(package)
        async for block in self._db.each(content.read(start, end)):
            yield block

    async def part(
        self, package: PackageId, number: int, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """See the port."""
        content = await self._must(package)
        async for block in self._db.each(content.part(number, start, end)):
            yield block

    async def download(self, package: PackageId, number: int, now: datetime, who: str, detail: str) -> bool:
        """See the port."""

        def count(db: sqlite3.Connection) -> bool:
            reader = readers.one(db, package, number, now)
            if reader is None or (reader.downloads is not None and reader.downloaded >= reader.downloads):
                return False
            db.execute(
                "UPDATE readers SET downloaded = downloaded + 1 WHERE package = ? AND number = ?", (package, number)
            )
            trail.add(db, self._box, package, number, Happening.DOWNLOADED, now, who, detail)
            return True

        return await self._db.write(count)

    async def note(
        self,
        package: PackageId,
        number: int | None,
        what: Happening,
        now: datetime,
        *,
        who: str = "",
        detail: str = "",
    ) -> None:
        """See the port."""

        def add(db: sqlite3.Connection) -> None:
            trail.add(db, self._box, package, number, what, now, who, detail)
            if what is Happening.REMINDED:
                db.execute(
                    "UPDATE readers SET reminded_at = ? WHERE package = ? AND number = ?",
                    (micros(now), package, number),
                )

        await self._db.write(add)

    async def history(self, package: PackageId) -> tuple[Happened, ...]:
        """See the port."""
        return await self._db.read(lambda db: trail.told(db, self._box, package))

    async def revoke(self, package: PackageId, number: int | None, now: datetime, who: str) -> int:
        """See the port."""

        def close(db: sqlite3.Connection) -> int:
            changed = readers.revoke(db, package, number, now)
            if changed:
                trail.add(db, self._box, package, number, Happening.REVOKED, now, who)
            return changed

        return await self._db.write(close)

    async def restore(self, package: PackageId, number: int | None, now: datetime, who: str) -> int:
        """See the port."""

        def reopen(db: sqlite3.Connection) -> int:
            changed = readers.restore(db, package, number)
            if changed:
                trail.add(db, self._box, package, number, Happening.RESTORED, now, who)
            return changed

        return await self._db.write(reopen)

    async def disown(self, package: PackageId, number: int, now: datetime, who: str) -> None:
        """See the port."""

        def close(db: sqlite3.Connection) -> None:
            if readers.disown(db, package, number, now):
                trail.add(db, self._box, package, number, Happening.DISOWNED, now, who)

        await self._db.write(close)

    async def extend(self, package: PackageId, until: datetime, now: datetime, who: str) -> bool:
        """See the port."""

        def move(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "UPDATE packages SET expires_at = ? WHERE id = ? AND erased_at IS NULL", (micros(until), package)
            )
            if changed.rowcount:
                db.execute("UPDATE readers SET reminded_at = NULL WHERE package = ?", (package,))
                detail = f"until {until:%Y-%m-%d %H:%M} UTC"
                trail.add(db, self._box, package, None, Happening.EXTENDED, now, who, detail)
            return changed.rowcount == 1

        return await self._db.write(move)

    async def erase(self, package: PackageId, now: datetime, who: str) -> bool:
        """See the port."""

        def destroy(db: sqlite3.Connection) -> str | None:
            file = packages.erase(db, package, micros(now))
            if file is not None:
                trail.add(db, self._box, package, None, Happening.ERASED, now, who)
            return file

        file = await self._db.write(destroy)
        if file is None:
            return False
        await self._db.run(lambda: (self._files / file).unlink(missing_ok=True))
        await self._db.fold()
        return True

    async def agree(self, address: Address, passphrase: str | None) -> None:
        """See the port."""
        hashed = await self._db.run(lambda: hash_secret(passphrase, self._box.pepper)) if passphrase else None

        def keep(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM agreed WHERE address_key = ?", (address.key,))
            if hashed is not None:
                db.execute("INSERT INTO agreed VALUES (?, ?)", (address.key, hashed))

        await self._db.write(keep)

    async def remindable(self, now: datetime, before: datetime, limit: int) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.remindable(db, now, before, limit))

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
        return len(ended)

    async def post(self, mail: OwnMail) -> None:
        """See the port."""
        sealed = await self._db.run(lambda: self._box.seal_bytes(outbox.to_bytes(mail), _OUTBOX))
        await self._db.write(lambda db: db.execute("INSERT INTO outbox (mail) VALUES (?)", (sealed,)).rowcount)

    async def outgoing(self, limit: int) -> Sequence[tuple[int, OwnMail]]:
        """See the port."""

        def look(db: sqlite3.Connection) -> Sequence[tuple[int, OwnMail]]:
            rows = db.execute("SELECT id, mail FROM outbox ORDER BY id LIMIT ?", (limit,)).fetchall()
            return [(row["id"], outbox.from_bytes(self._box.open_bytes(row["mail"], _OUTBOX))) for row in rows]

        return await self._db.read(look)

    async def posted(self, numbers: Sequence[int]) -> None:
        """See the port."""
        await self._db.write(
            lambda db: db.executemany("DELETE FROM outbox WHERE id = ?", [(number,) for number in numbers]).rowcount
        )

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


def _shown(reader: Reader, seed: bytes) -> str:
    """The passphrase that the sender is shown for a reader."""
    return packages.passphrase_of(seed, reader.number) if reader.unlock.has_passphrase and not reader.agreed else ""


def _tidy(db: sqlite3.Connection, now: datetime) -> None:
    """What has run out."""
    sessions.sweep(db, now)
    db.execute("DELETE FROM asked WHERE at < ?", (micros(now - timedelta(days=1)),))
    db.execute("DELETE FROM passwords WHERE until <= ?", (micros(now),))
    db.execute("UPDATE readers SET code = NULL WHERE code IS NOT NULL AND code_until <= ?", (micros(now),))
