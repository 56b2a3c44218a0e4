"""The folder of the workers' metric files: one per spool, owned by us alone, empty at every start.

Not in the spool on purpose: prometheus-client writes through memory maps, and a full disk under a map kills the
process (SIGBUS) where the spool would only answer 452.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path


class UnsafeFolder(Exception):
    """Somebody else made the folder first; the text is one sentence."""


def empty_metrics_folder(spool: Path, environment: Mapping[str, str]) -> Path:
    """Makes it below systemd's RUNTIME_DIRECTORY or the temporary folder. The caller holds the spool's lock.

    Raises:
        UnsafeFolder: it exists and is not a folder of ours.
    """
    base = Path(environment.get("RUNTIME_DIRECTORY") or tempfile.gettempdir())
    mark = hashlib.sha256(os.fsencode(spool.resolve())).hexdigest()[:16]
    folder = base / f"sealpost-metrics-{os.geteuid()}-{mark}"
    if os.path.lexists(folder):
        _require_ours(folder)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return folder


def _require_ours(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise UnsafeFolder(f"{folder} belongs to somebody else; remove it, or set RUNTIME_DIRECTORY")
