"""What all parts of the store of sealed messages hold: the database, the files, the keys and the clock."""

import hmac
import secrets
import sqlite3
from pathlib import Path

from gateway.core.sealed import PackageId
from gateway.flow.ports import Clock, SealedStore, SealedStoreError
from gateway.sealed import packages
from gateway.sealed.database import Database
from gateway.sealed.guesses import hash_secret
from gateway.sealed.keys import Damaged, Keyring
from gateway.sealed.secrets_box import Box, own_key


class StoreBase(SealedStore):
    """The port's methods are in the parts that build on it."""

    def __init__(self, folder: Path, keyring: Keyring, database: Database, own: bytes, clock: Clock) -> None:
        """For `open`."""
        self._files = folder / packages.FILES
        self._keyring = keyring
        self._db = database
        self._own = own
        self._box = Box(own)
        self._clock = clock
        self._indexes = packages.Indexes()
        # Compared with where there is nothing to compare with, so that a guess takes as long.
        self._nothing = hash_secret(secrets.token_hex(), self._box.pepper)

    def admit(self, db: sqlite3.Connection) -> None:
        """Codes and passphrases were hashed with this store's own key, so no other store will do. Raises Damaged."""
        if not hmac.compare_digest(own_key(db, self._keyring), self._own):
            raise Damaged("the store of sealed messages is not the one that was opened; restart if it was replaced")

    async def _content(self, package: PackageId) -> packages.Content | None:
        return await self._db.read(lambda db: packages.content(db, package, self._keyring, self._files))

    async def _must(self, package: PackageId) -> packages.Content:
        content = await self._content(package)
        if content is None:
            raise SealedStoreError("the sealed message is not there any more")
        return content
