"""Every step by which the spool touches the disk, in one place, so that a test can make each of them fail or the last.

All calls block. OSError and sqlite3.Error are mapped by the callers, who know what they were about.
"""

import os
import sqlite3
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """The steps."""

    def create(self, path: Path) -> int:
        """A new file, readable by us alone, open for writing; its descriptor."""
        ...

    def write(self, fd: int, block: bytes) -> None:
        """All of the block."""
        ...

    def sync(self, fd: int) -> None:
        """The file's bytes are on the disk."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """The folder's names are on the disk: without this a new file may vanish in a power cut."""
        ...

    def unlink(self, path: Path) -> None:
        """Removes the file; one that is gone already is no error."""
        ...

    def free(self, folder: Path) -> int:
        """Bytes that we may still write."""
        ...

    def commit(self, db: sqlite3.Connection) -> None:
        """Ends the transaction; it is on the disk."""
        ...


class SystemDisk:
    """The machine's."""

    def create(self, path: Path) -> int:
        """See `Disk`."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, block: bytes) -> None:
        """See `Disk`; write(2) may take less than it was given."""
        view = memoryview(block)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        """See `Disk`."""
        os.fsync(fd)

    def sync_folder(self, folder: Path) -> None:
        """See `Disk`."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def unlink(self, path: Path) -> None:
        """See `Disk`."""
        path.unlink(missing_ok=True)

    def free(self, folder: Path) -> int:
        """See `Disk`."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def commit(self, db: sqlite3.Connection) -> None:
        """See `Disk`."""
        db.execute("COMMIT")
