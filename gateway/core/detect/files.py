"""The detector of an attached file by name, type, transfer-file name or lock (M11, M15, R12)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final

from gateway.core.ctf import is_ctf
from gateway.core.detect.base import Detector
from gateway.core.detect.keys import key
from gateway.core.facts import Attachment, Lock, Scan

_FOLDERS = re.compile(r"[/\\]")
_CTF: Final = "ctf"


@dataclass(frozen=True, slots=True)
class FileIs(Detector):
    """One file is all that is asked for. ``names`` and ``types`` are globs; case tells nothing.

    Names are looked for in a ZIP's directory too, with and without their folders.
    """

    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    ctf: bool = False
    locked: bool = False
    _names: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _types: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        flags = [name for name, wanted in ((_CTF, self.ctf), ("locked", self.locked)) if wanted]
        words = {"name": _folded(self.names), "type": _folded(self.types), "is": flags}
        object.__setattr__(self, "_names", _globs(self.names))
        object.__setattr__(self, "_types", _globs(self.types))
        object.__setattr__(self, "_id", key("file", {name: each for name, each in words.items() if each}))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        said = [
            "has a common transfer file's name" if self.ctf else "",
            f"has a name like {' or '.join(self.names)}" if self.names else "",
            f"is of type {' or '.join(self.types)}" if self.types else "",
            "needs a password to open" if self.locked else "",
        ]
        return f"an attached file {' and '.join(filter(None, said))}"

    def detect(self, scan: Scan) -> bool:
        return any(self._fits(file) for file in scan.attachments)

    def _fits(self, file: Attachment) -> bool:
        return (
            (not self.locked or file.lock is not Lock.OPEN)
            and (not self.types or self._types.fullmatch(file.type.casefold()) is not None)
            and (not self.names or any(self._names.fullmatch(name.casefold()) for name in _names(file)))
            and (not self.ctf or any(is_ctf(name) for name in _names(file)))
        )


def _names(file: Attachment) -> Iterator[str]:
    for name in (file.name, *file.members):
        yield name
        last = _FOLDERS.split(name)[-1]
        if last != name:
            yield last


def _folded(globs: tuple[str, ...]) -> list[str]:
    return sorted({glob.casefold() for glob in globs})


def _globs(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in _folded(globs)))
