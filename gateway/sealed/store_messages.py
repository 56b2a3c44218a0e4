"""What the store does with a sealed message as a whole: sealing, reading, its history and its end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Final

from gateway.core.sealed import Face, Happened, Happening, NewPackage, PackageId, Reader, ReaderSecret
from gateway.sealed import packages, readers, trail
from gateway.sealed.guesses import token_for
from gateway.sealed.schema import micros
from gateway.sealed.store_base import StoreBase

_FSYNC_WITHIN: Final = 600.0


class StoreMessages(StoreBase):
    """See the port."""

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

    async def already(self, delivery_id: str, numbers: Collection[int]) -> Mapping[int, PackageId]:
        """See the port."""
        return await self._db.read(lambda db: packages.already(db, delivery_id, numbers))

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

    async def face(self, package: PackageId) -> Face | None:
        """See the port."""
        content = await self._content(package)
        return None if content is None else (await self._db.run(lambda: self._indexes.of(content))).face

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
        index = await self._db.run(lambda: self._indexes.of(content))
        async for block in self._db.each(content.part(index, number, start, end)):
            yield block

    async def history(
        self, package: PackageId, number: int | None = None, what: Happening | None = None
    ) -> tuple[Happened, ...]:
        """See the port."""
        return await self._db.read(lambda db: trail.told(db, self._box, package, number, what))

    async def extend(self, package: PackageId, until: datetime, now: datetime, who: str) -> bool:
        """See the port."""

        def move(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "UPDATE packages SET expires_at = ? WHERE id = ? AND erased_at IS NULL AND expires_at < ?",
                (micros(until), package, micros(until)),
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


def _shown(reader: Reader, seed: bytes) -> str:
    """The passphrase that the sender is shown for a reader."""
    return packages.passphrase_of(seed, reader.number) if reader.unlock.has_passphrase and not reader.agreed else ""
