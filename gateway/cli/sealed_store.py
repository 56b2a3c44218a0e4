"""The store of sealed messages for the length of one command."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from gateway.app.system import SystemClock
from gateway.app.vault import folder_of
from gateway.cli.errors import Usage
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.flow.ports import SealedStore, SealedStoreError
from gateway.sealed.keys import Keyring
from gateway.sealed.schema import NAME
from gateway.sealed.store import SealedFiles

_T = TypeVar("_T")


def keys_of(settings: Settings) -> Keyring:
    """The keys of sealed messages. Raises Usage if there are none."""
    if settings.sealing is None:
        raise Usage("the configuration seals nothing: it has no secrets.sealing")
    return settings.sealing


def with_store(config: Path | None, do: Callable[[SealedStore], Awaitable[_T]]) -> _T:
    """Does it with the store of the configuration. Raises Usage, ConfigError."""
    settings = load(read_bundle(find_config(config))).settings
    return with_keys(settings, keys_of(settings), do)


def with_keys(settings: Settings, keyring: Keyring, do: Callable[[SealedStore], Awaitable[_T]]) -> _T:
    """The same under these keys; the store is closed afterwards. Raises Usage."""

    if not (folder_of(settings) / NAME).exists():
        # One made here would be empty, and a disk that is not there looks like "nothing lies sealed".
        raise Usage(f"there is no store of sealed messages in {folder_of(settings)}; the gateway makes it at its start")

    async def run() -> _T:
        store = await SealedFiles.open(folder_of(settings), keyring, SystemClock())
        try:
            return await do(store)
        finally:
            await store.aclose()

    try:
        return asyncio.run(run())
    except (SealedStoreError, OSError) as error:
        raise Usage(str(error)) from error
