"""The store of sealed messages of one process: opened when a configuration first names its keys, and kept for life.

A reload with other keys (a rotation) changes them in place: what is open goes on.
"""

import asyncio
from pathlib import Path
from typing import Final

from gateway.config.settings import Settings
from gateway.flow.ports import Clock, SealedStore
from gateway.sealed.store import SealedFiles

FOLDER: Final = "sealed"
"""Beside the shards, in the folder of the spool."""


def folder_of(settings: Settings) -> Path:
    """Where the sealed messages of this configuration lie."""
    return settings.spool_dir / FOLDER


class Vault:
    """At most one store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store: SealedFiles | None = None
        self._opening = asyncio.Lock()

    @property
    def store(self) -> SealedStore | None:
        """None as long as no configuration had keys for it."""
        return self._store

    async def prepare(self, settings: Settings) -> SealedStore | None:
        """The store under the keys of this configuration. Raises SealedStoreError, OSError if it cannot be opened."""
        if settings.sealing is None:
            return self._store
        async with self._opening:
            if self._store is None:
                self._store = await SealedFiles.open(folder_of(settings), settings.sealing, self._clock)
            else:
                await self._store.use(settings.sealing)
        return self._store

    async def aclose(self) -> None:
        """Closes it; harmless if there is none."""
        if self._store is not None:
            await self._store.aclose()
