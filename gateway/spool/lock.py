"""The lock of a spool or of one shard (flock(2)): the kernel frees it when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from gateway.flow.ports import SpoolError


class Locked(SpoolError):
    """Another process holds it."""


class SpoolLock:
    """A lock file, made with its folder if it is missing and never removed.

    It holds its owner's process id, for people to read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._fd is not None

    def acquire(self) -> None:
        """Takes it or raises Locked at once; SpoolError if the file cannot be used."""
        if self._fd is not None:
            return
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            raise Locked(f"{self.path.parent} is in use by process {owner or 'unknown'}") from error
        try:
            # Whoever reads it meanwhile finds a number.
            os.ftruncate(fd, os.pwrite(fd, f"{os.getpid()}\n".encode(), 0))
        except OSError as error:
            os.close(fd)
            raise SpoolError(f"cannot write {self.path}: {error.strerror}") from error
        self._fd = fd

    def release(self) -> None:
        """Gives it free; harmless if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> "SpoolLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(f"cannot open {self.path}: {error.strerror}") from error
