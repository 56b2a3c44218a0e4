"""A folder whose files are read again when they change, such as certificates and lists of revoked ones.

A change is seen by name, size and time of a file. Everything blocks, and may be asked by several threads.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from gateway.sealed.recipients.found import LookupFailed

_T = TypeVar("_T")
_Seen = tuple[tuple[str, int, int], ...]


class Watched(Generic[_T]):
    """What ``make`` makes of the files with one of the ``endings``, of which there are at most ``most``."""

    def __init__(self, folder: Path, endings: Sequence[str], most: int, make: Callable[[Iterable[Path]], _T]) -> None:
        self._folder = folder
        self._endings = tuple(endings)
        self._most = most
        self._make = make
        self._lock = Lock()
        self._made: tuple[_Seen, _T] | None = None

    def get(self) -> _T:
        """As the files are now. Raises LookupFailed if the folder or a file in it cannot be read, or has too much."""
        with self._lock:
            try:
                seen = self._look()
                if self._made is None or self._made[0] != seen:
                    self._made = seen, self._make(self._folder / name for name, _, _ in seen)
            except OSError as error:
                raise LookupFailed(f"The folder {self._folder.name} cannot be read: {error.strerror}.") from error
            return self._made[1]

    def _look(self) -> _Seen:
        with os.scandir(self._folder) as entries:
            files = [entry for entry in entries if entry.name.lower().endswith(self._endings) and entry.is_file()]
        if len(files) > self._most:
            raise LookupFailed(f"The folder {self._folder.name} has more than {self._most} files.")
        return tuple(sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in files))


def read_limited(path: Path, most: int) -> bytes:
    """The file's bytes. Raises LookupFailed for more than ``most`` of them, and OSError."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise LookupFailed(f"The file {path.name} has more than {most} bytes.")
    return data
