"""A disk as a power cut leaves it: what was synced, and of the rest nothing, or whatever had got there.

The harshest disk that POSIX allows: a name is there only if its folder was synced, a byte only if its file was, and a
write that was under way is torn between sectors. Left out on purpose: disks that lie about a sync.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.spool.trace import Gone, Made, Resized, Said, Step, Synced, Written

SECTOR = 512


@dataclass
class Luck:
    """What of the unsynced got to the disk all the same: nothing without ``random``, else half of it."""

    random: Random | None = None

    def had(self) -> bool:
        """Whether one more thing got there."""
        return self.random is not None and self.random.random() < 0.5


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)

    def write(self, offset: int, data: bytes) -> None:
        self.resize(max(len(self.content), offset + len(data)))
        self.content[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        del self.content[size:]
        self.content += bytes(size - len(self.content))


class Disk:
    """What is on it after those steps and the cut."""

    def __init__(self, steps: Sequence[Step], luck: Luck) -> None:
        self._luck = luck
        self._synced: dict[Path, int] = {}
        for step in steps:
            if isinstance(step, Synced):
                self._synced[step.path] = max(step.since, self._synced.get(step.path, 0))
        self._names: dict[Path, _File | None] = {}
        self._files: dict[Path, _File] = {}
        self._stopped: set[Path] = set()
        for number, step in enumerate(steps):
            self._take(number, step)

    def _take(self, number: int, step: Step) -> None:
        match step:
            case Made():
                if not step.is_folder:
                    self._files[step.path] = _File()
                if self._name_kept(number, step.path.parent):
                    self._names[step.path] = None if step.is_folder else self._files[step.path]
            case Gone():
                if self._name_kept(number, step.path.parent):
                    self._names.pop(step.path, None)
            case Written():
                self._write(number, step)
            case Resized():
                if self._is_synced(number, step.path) or self._luck.had():
                    self._files[step.path].resize(step.size)
            case Synced() | Said():
                pass

    def _is_synced(self, number: int, path: Path) -> bool:
        return number < self._synced.get(path, 0)

    def _name_kept(self, number: int, folder: Path) -> bool:
        """A folder's names get to the disk in order, as every journal keeps it."""
        if self._is_synced(number, folder):
            return True
        if folder not in self._stopped and not self._luck.had():
            self._stopped.add(folder)
        return folder not in self._stopped

    def _write(self, number: int, step: Written) -> None:
        file = self._files[step.path]
        if self._is_synced(number, step.path):
            file.write(step.offset, step.data)
            return
        start = step.offset
        while start < step.offset + len(step.data):
            end = (start // SECTOR + 1) * SECTOR
            if self._luck.had():
                file.write(start, step.data[start - step.offset : end - step.offset])
            start = end

    def restore(self, folder: Path, to: Path) -> None:
        """Makes what it held of ``folder`` anew elsewhere; what is in a folder without a name is lost."""
        to.mkdir()
        for path in sorted(self._names):
            target, file = to / path.relative_to(folder), self._names[path]
            if not target.parent.exists():
                continue
            if file is None:
                target.mkdir()
            else:
                target.write_bytes(file.content)
