"""Watching the files of the configuration in force (``[reload] watch = true``): a change asks for a reload.

It looks at size, time and inode every two seconds and waits until one look finds them as the last one did, so that a
half-written file is seldom read; one that is read all the same changes nothing. Left out on purpose: inotify, which
network file systems and replaced folders defeat.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

EVERY: Final = 2.0
"""Seconds between two looks."""

_Mark: TypeAlias = tuple[int, int, int] | None


class Watch:
    """``files`` gives those of the configuration in force, none where it is not to be watched."""

    def __init__(self, files: Callable[[], Sequence[Path]], changed: Callable[[], None], every: float = EVERY) -> None:
        self._files = files
        self._changed = changed
        self._every = every

    async def run(self) -> None:
        """Looks until cancelled."""
        loaded = seen = await self._look()
        while True:
            await asyncio.sleep(self._every)
            before, seen = seen, await self._look()
            if seen.keys() != loaded.keys():
                # A reload that somebody else asked for brought another list; what both name is compared as before.
                loaded = {file: loaded.get(file, mark) for file, mark in seen.items()}
            elif seen != loaded and seen == before:
                loaded = seen
                self._changed()

    async def _look(self) -> dict[Path, _Mark]:
        files = tuple(self._files())
        return await asyncio.to_thread(lambda: {file: _mark(file) for file in files})


def _mark(file: Path) -> _Mark:
    """What changes when the file does; None for one that is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
