"""Replaces a file that people keep: wholly or not at all, with the owner and the rights that it had.

What it was can be kept beside it, for its owner alone to read.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Writes beside the file and renames; a link stays one. Raises OSError, and then nothing has changed."""
    target = path.resolve()

    def as_before(new: Path) -> None:
        shutil.copymode(target, new)
        _same_owner(target, new)

    _place(target, content, as_before)


def old_of(path: Path) -> Path:
    """Where `keep_old` puts it."""
    return path.with_name(f"{path.name}.old")


def keep_old(path: Path) -> None:
    """Puts a copy beside the file, in place of an earlier one. Raises OSError, and then nothing has changed."""
    # It is made for its owner alone (0600).
    _place(old_of(path), path.read_bytes(), lambda new: _same_owner(path, new))


def _place(target: Path, content: bytes, fit: Callable[[Path], None]) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fit(Path(name))
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _same_owner(target: Path, new: Path) -> None:
    there = target.stat()
    if (there.st_uid, there.st_gid) != (new.stat().st_uid, new.stat().st_gid):
        os.chown(new, there.st_uid, there.st_gid)
