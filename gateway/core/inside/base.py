"""What a look into a file gives, and how a look is fed; every look keeps a bounded part of the file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.core.facts import Lock

_HEAD: Final = 4 * 1024
# A ZIP's directory stands at the end, with up to 64 KiB of comment behind it and here as much again for itself.
_TAIL: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class Contents:
    """``members`` are the names in the file's directory, as far as it was read."""

    members: tuple[str, ...] = ()
    lock: Lock = Lock.OPEN


NOTHING: Final = Contents()


class Look(Protocol):
    """Takes a file's decoded bytes; `close` is called once."""

    def feed(self, data: bytes) -> None: ...

    def close(self) -> Contents: ...


@dataclass(frozen=True, slots=True)
class Ends:
    """A file's first and last bytes; they are the same ones in a small file. ``size`` is the whole file's."""

    head: bytes
    tail: bytes
    size: int

    @property
    def tail_at(self) -> int:
        """Where in the file the tail begins."""
        return self.size - len(self.tail)


class EndsLook:
    """Keeps both ends of the file and has them read when it is over."""

    def __init__(self, read: Callable[[Ends], Contents]) -> None:
        self._read = read
        self._head = self._tail = b""
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
        self._tail = (self._tail + data)[-_TAIL:]

    def close(self) -> Contents:
        return self._read(Ends(self._head, self._tail, self._size))
