"""Disks that tell each step, so that a test can record it, make it fail, or die there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.spool.disk import SystemDisk


class SteppedDisk(SystemDisk):
    """Calls ``step`` with the step's name before each, in the middle of a write, and after each commit."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self.step = step

    def create(self, path: Path) -> int:
        self.step("create")
        return super().create(path)

    def write(self, fd: int, block: bytes) -> None:
        self.step("write")
        half = len(block) // 2
        super().write(fd, block[:half])
        self.step("write half")
        super().write(fd, block[half:])

    def sync(self, fd: int) -> None:
        self.step("sync")
        super().sync(fd)

    def sync_folder(self, folder: Path) -> None:
        self.step(f"sync folder {folder.name}")
        super().sync_folder(folder)

    def unlink(self, path: Path) -> None:
        self.step("unlink")
        super().unlink(path)

    def commit(self, db: sqlite3.Connection) -> None:
        self.step("commit")
        super().commit(db)
        self.step("committed")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """As SQLite raises it, e.g. ``sqlite3.SQLITE_IOERR_FSYNC``."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error
