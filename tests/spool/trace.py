"""What a process did to the files of one folder, in order, read from a trace that strace(1) wrote of it.

Left out on purpose: renames and links, of which the spool has none, and what reaches a file through mapped memory,
which is SQLite's index of its log alone and is made anew at each opening.
"""

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).parents[2]
_CALLS: Final = "openat,mkdir,write,pwrite64,ftruncate,fsync,fdatasync,unlink"
_LINE: Final = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")
_HEX: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class Made:
    """A new name in a folder, of a file or of another folder."""

    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """A name was removed."""

    path: Path


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of a file."""

    path: Path
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """A file got that size."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """All that was done to a file, or to a folder's names, before step ``since`` is on the disk."""

    path: Path
    since: int


@dataclass(frozen=True, slots=True)
class Said:
    """An acknowledgement."""

    words: tuple[str, ...]


Step: TypeAlias = Made | Gone | Written | Resized | Synced | Said


async def recorded(folder: Path, code: int, *command: str) -> list[Step]:
    """Runs Python code with its arguments, which exits with ``code``; all that it did in the folder.

    What it acknowledges, if anything, are lines of the file "acks" beside the folder.
    """
    trace = folder.with_name("trace")
    strace = ["strace", "-f", "-y", "-xx", "-s", "2000000", "-e", f"trace={_CALLS}", "-o", str(trace)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*strace, sys.executable, "-c", *command, env=environment)
    try:
        async with asyncio.timeout(40):
            assert await process.wait() == code
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await asyncio.to_thread(_steps, trace, folder, folder.with_name("acks"))


class _Reader:
    """Puts the two halves of calls together that another thread's came between."""

    def __init__(self, folder: Path, acks: Path) -> None:
        self._folder = folder
        self._acks = acks
        self._begun: dict[str, tuple[int, str]] = {}
        self._ends: dict[Path, int] = {}
        self.steps: list[Step] = []

    def line(self, line: str) -> None:
        found = _LINE.match(line)
        if found is None:
            return  # A signal, or the end of a thread.
        thread, resumed, name, rest = found.groups()
        unfinished = rest.endswith("<unfinished ...>")
        if resumed is None:
            at = len(self.steps)
            if name not in ("fsync", "fdatasync"):
                self._take(name, rest)
            elif unfinished:
                self._begun[thread] = at, rest
            elif rest.endswith("= 0"):
                self._synced(rest, at)
        elif resumed in ("fsync", "fdatasync") and rest.endswith("= 0"):
            at, call = self._begun.pop(thread)
            self._synced(call, at)

    def _take(self, name: str, rest: str) -> None:
        """What changes something may be there from its beginning on; a call that failed has changed nothing."""
        if " = -1 " in rest[-80:]:
            return
        words = [bytes.fromhex(word.replace("\\x", "")) for word in _HEX.findall(rest)]
        numbers = [int(number) for number in re.findall(r", (\d+)", _HEX.sub("", rest))]
        match name:
            case "write" | "pwrite64" if len(words) > 1:
                self._written(_path(words[0]), words[1], numbers[1] if name == "pwrite64" else None)
            case "ftruncate":
                self._add(Resized(_path(words[0]), numbers[0]))
            case "openat" if "O_CREAT" in rest:
                self._make(Made(_path(words[1]), is_folder=False))
            case "mkdir":
                self._make(Made(_path(words[0]), is_folder=True))
            case "unlink":
                self._ends.pop(_path(words[0]), None)
                self._add(Gone(_path(words[0])))
            case _:
                pass

    def _make(self, made: Made) -> None:
        if made.path not in self._ends and made.path != self._folder:
            self._ends[made.path] = 0
            self._add(made)

    def _written(self, path: Path, data: bytes, offset: int | None) -> None:
        if path == self._acks:
            self.steps.append(Said(tuple(data.decode().split())))
            return
        start = self._ends.get(path, 0) if offset is None else offset
        self._ends[path] = start + len(data)
        self._add(Written(path, start, data))

    def _synced(self, call: str, since: int) -> None:
        [path] = [bytes.fromhex(word.replace("\\x", "")) for word in _HEX.findall(call)]
        self._add(Synced(_path(path), since))

    def _add(self, step: Made | Gone | Written | Resized | Synced) -> None:
        if step.path.is_relative_to(self._folder) and not step.path.name.endswith("-shm"):
            self.steps.append(step)


def _path(name: bytes) -> Path:
    return Path(name.decode())


def _steps(trace: Path, folder: Path, acks: Path) -> list[Step]:
    """What happened below ``folder``, which did not exist before, and each line that was written to ``acks``."""
    reader = _Reader(folder, acks)
    with trace.open() as lines:
        for line in lines:
            reader.line(line.rstrip("\n"))
    return reader.steps
