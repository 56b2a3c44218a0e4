"""What the store does for one reader: links, guesses, sessions, downloads, revoking."""

import sqlite3
from datetime import datetime

from gateway.core.address import Address
from gateway.core.sealed import Access, Closed, Happening, Opening, PackageId, Reader, Secret, Tried, Unlocked, Wrong
from gateway.sealed import readers, sessions, trail
from gateway.sealed.fetched import fetch
from gateway.sealed.guesses import hash_secret, matches, new_code, normalise
from gateway.sealed.readers import Guess
from gateway.sealed.schema import micros
from gateway.sealed.store_base import StoreBase


class StoreReaders(StoreBase):
    """See the port."""

    async def find(self, token: str, now: datetime) -> Reader | None:
        """See the port."""
        return await self._db.read(lambda db: readers.by_token(db, token, now))

    async def reader(self, package: PackageId, number: int, now: datetime) -> Reader | None:
        """See the port."""
        return await self._db.read(lambda db: readers.one(db, package, number, now))

    async def readers(self, package: PackageId, now: datetime) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.of_package(db, package, now))

    async def ask_code(self, package: PackageId, number: int, now: datetime) -> str | None:
        """See the port."""
        code = new_code()
        hashed = await self._db.hashed(lambda: hash_secret(code, self._box.pepper))

        def ask(db: sqlite3.Connection) -> bool:
            reader = readers.one(db, package, number, now)
            if reader is None or not readers.may_ask(db, reader, now):
                return False
            readers.set_code(db, reader, hashed, now)
            trail.add(db, self._box, package, number, Happening.CODE_ASKED, now)
            return True

        return code if await self._db.write(ask) else None

    async def unlock(self, package: PackageId, number: int, secret: str, now: datetime) -> Tried:
        """See the port."""

        def begin(db: sqlite3.Connection) -> Guess | Wrong | Closed:
            guess = readers.begin_guess(db, package, number, now)
            # Tries are spent without a lock where a process died between counting the last one and telling of it.
            return guess or self._spent(db, package, number, now)

        begun = await self._db.write(begin)
        guess = begun if isinstance(begun, Guess) else None
        is_code = normalise(secret).isdecimal()
        against = None if guess is None else (guess.code if is_code else guess.passphrase)
        same = await self._db.hashed(lambda: matches(secret, against or self._nothing, self._box.pepper))
        if not isinstance(begun, Guess):
            return begun
        right = same and against is not None
        by = Secret.CODE if is_code else begun.kind
        return await self._db.write(lambda db: self._tried(db, package, number, begun, now, right=right, by=by))

    def _tried(
        self,
        db: sqlite3.Connection,
        package: PackageId,
        number: int,
        guess: Guess,
        now: datetime,
        *,
        right: bool,
        by: Secret,
    ) -> Tried:
        if right:
            return Unlocked(by) if readers.guessed(db, package, number, guess, by) else Closed()
        trail.add(db, self._box, package, number, Happening.WRONG, now)
        left = readers.TRIES - guess.tries
        return Wrong(left) if left > 0 else self._spent(db, package, number, now)

    def _spent(self, db: sqlite3.Connection, package: PackageId, number: int, now: datetime) -> Wrong | Closed:
        """A right guess may have come between, and then there are tries again; another may have locked it."""
        if not readers.lock_if_spent(db, package, number, now):
            return Closed()
        trail.add(db, self._box, package, number, Happening.LOCKED, now)
        return Wrong(0)

    async def open_session(
        self, package: PackageId, number: int, who: str, now: datetime, by: Secret
    ) -> Opening | None:
        """See the port."""

        def start(db: sqlite3.Connection) -> Opening | None:
            reader = readers.one(db, package, number, now)
            if reader is None or reader.access is not Access.OPEN:
                return None
            trail.add(db, self._box, package, number, Happening.OPENED, now, who, f"by {by}")
            cookie = sessions.start(db, self._box, package, number, who, now)
            return Opening(cookie, first=reader.opened == 0)

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

    async def download(self, package: PackageId, number: int, now: datetime, who: str, detail: str) -> bool:
        """See the port."""

        def count(db: sqlite3.Connection) -> bool:
            reader = readers.one(db, package, number, now)
            if reader is None or not fetch(db, reader, detail):
                return False
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

    async def disown(self, package: PackageId, number: int, now: datetime, who: str) -> bool:
        """See the port."""

        def close(db: sqlite3.Connection) -> bool:
            changed = readers.disown(db, package, number, now) == 1
            if changed:
                trail.add(db, self._box, package, number, Happening.DISOWNED, now, who)
            return changed

        return await self._db.write(close)

    async def agree(self, address: Address, passphrase: str | None) -> None:
        """See the port."""
        hashed = await self._db.hashed(lambda: hash_secret(passphrase, self._box.pepper)) if passphrase else None

        def keep(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM agreed WHERE address_key = ?", (address.key,))
            if hashed is not None:
                db.execute("INSERT INTO agreed VALUES (?, ?)", (address.key, hashed))

        await self._db.write(keep)

    async def remindable(self, now: datetime, before: datetime, limit: int) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.remindable(db, now, before, limit))

    async def list(
        self, now: datetime, *, text: str = "", after: PackageId | None = None, limit: int = 100
    ) -> tuple[Reader, ...]:
        """See the port."""
        return await self._db.read(lambda db: readers.newest(db, now, text, after, limit))
