"""Disks that tell each step, so that a test can record it, make it fail, or die there."""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.spool.disk import SystemDisk
from gateway.spool.options import SpoolOptions
from gateway.spool.schema import open_for_writing
from gateway.spool.sqlite import SpoolParts, SqliteSpool, folder_of
from tests.spool.samples import StandingClock


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


@dataclass
class Faults:
    """A disk's steps so far, and what is raised at which."""

    steps: list[str] = field(default_factory=list[str])
    at: dict[str, BaseException] = field(default_factory=dict[str, BaseException])

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.at:
            raise self.at[name]


@asynccontextmanager
async def opened(
    spool_dir: Path, faults: Faults, options: SpoolOptions | None = None
) -> AsyncGenerator[SqliteSpool, None]:
    parts = SpoolParts(clock=StandingClock(), disk=SteppedDisk(faults.step), options=options or SpoolOptions())
    spool = await SqliteSpool.open(spool_dir, 0, parts)
    try:
        yield spool
    finally:
        await spool.aclose()


def files(spool: SqliteSpool) -> list[str]:
    return [path.name for path in spool.bodies.folder.iterdir()]


def damage(spool_dir: Path, sql: str) -> None:
    db = open_for_writing(folder_of(spool_dir, 0) / "spool.db", 2**20)
    db.execute(sql)
    db.close()
