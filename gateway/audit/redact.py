"""Takes a person out of the exported chains: every value that names them is replaced by its commitment.

No hash changes, so the chain still verifies, and nobody can find the value by trying, because its salt is gone. A file
is replaced as a whole, or not. Left out on purpose: the spool's own copy, which goes by age (``[queue] audit_keep``).
"""

import os
from collections.abc import Callable
from pathlib import Path

from gateway.audit.files import alone, files_in, shard_folder, shards_in
from gateway.core.audit_line import Line, Malformed, Open, read_line
from gateway.core.audit_query import names
from gateway.spool.disk import SystemDisk


def redact(folder: Path, person: str, told: Callable[[Path], None]) -> int:
    """How many lines no longer name that address; ``told`` hears of each file that was looked at. Raises OSError.

    A line that is none stays as it is, for `verify` to find.
    """
    count = 0
    for shard in shards_in(folder):
        place = shard_folder(folder, shard)
        for found in files_in(place):
            with alone(place):
                count += _redact_file(found.path, person.casefold())
            told(found.path)
    return count


def _redact_file(path: Path, person: str) -> int:
    new = path.with_suffix(".new")
    count = 0
    try:
        with path.open("rb") as old, open(new, "wb", opener=_private) as file:
            for data in old:
                line = _without(data, person)
                count += line != data
                file.write(line)
            file.flush()
            SystemDisk().sync(file.fileno())
        if count:
            new.replace(path)
            SystemDisk().sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)
    return count


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _without(data: bytes, person: str) -> bytes:
    if not data.endswith(b"\n"):
        return data
    try:
        line = read_line(data[:-1])
    except Malformed:
        return data
    taken = _naming(line, person)
    return line.without(taken).to_bytes() if taken else data


def _naming(line: Line, person: str) -> frozenset[str]:
    return frozenset(name for name, value in line.personal if isinstance(value, Open) and names(person, value.value))
