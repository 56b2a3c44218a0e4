"""Replaces a file that people keep: wholly or not at all, with the owner and the rights that it had."""

import os
import shutil
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Writes beside the file and renames; a link stays one. Raises OSError, and then nothing has changed."""
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _as_before(target, Path(name))
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _as_before(target: Path, new: Path) -> None:
    shutil.copymode(target, new)
    there = target.stat()
    if (there.st_uid, there.st_gid) != (new.stat().st_uid, new.stat().st_gid):
        os.chown(new, there.st_uid, there.st_gid)
