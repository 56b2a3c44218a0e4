"""An earlier policy and its registers written back to their files: all of them, or none.

Only files that the earlier text holds are written; a register that came later is left where it is, unused.
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.config.beside import Beside, unpack_policy
from gateway.config.bundle import Bundle

_NEW = 0o640


@dataclass(frozen=True, slots=True)
class Restored:
    """What stood in each file that was written, None for one that was not there."""

    before: Mapping[Path, bytes | None]

    def undo(self) -> None:
        """Puts it back. Raises OSError for the first file that cannot be; the others are put back all the same."""
        write_all(self.before)


def with_text(bundle: Bundle, text: bytes) -> Bundle:
    """The bundle with an earlier policy in the place of its own. Raises ValueError if the text is none."""
    policy, files = unpack_policy(text)
    return replace(bundle, policy_bytes=policy, policy_error="", beside=Beside(bundle.policy.parent, files))


def restore(bundle: Bundle) -> Restored:
    """Writes the bundle's policy and registers where they belong. Raises OSError, and then nothing has changed."""
    folder = bundle.policy.parent
    files = {folder / name: data for name, data in bundle.beside.files.items()} | {bundle.policy: bundle.policy_bytes}
    wanted = {path: data for path, data in files.items() if _read(path) != data}
    before = Restored({path: _read(path) for path in wanted})
    try:
        write_all(wanted)
    except OSError:
        with suppress(OSError):
            before.undo()
        raise
    return before


def write_all(files: Mapping[Path, bytes | None]) -> None:
    """Writes everything beside its place before the first is put there; None takes a file away."""
    ready = {path.resolve(): _beside(path.resolve(), data) for path, data in files.items() if data is not None}
    try:
        for target, new in ready.items():
            new.replace(target)
    finally:
        for new in ready.values():
            new.unlink(missing_ok=True)
    for path, data in files.items():
        if data is None:
            path.unlink(missing_ok=True)


def _beside(target: Path, data: bytes) -> Path:
    """A finished file in the target's folder, with the owner and the rights that the target has."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        there = target.stat() if target.exists() else None
        os.fchmod(file.fileno(), there.st_mode & 0o777 if there else _NEW)
        if there is not None and (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(file.fileno(), there.st_uid, there.st_gid)
    return Path(name)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
