"""Verifies whole chains: each file by itself, several at once in processes of their own, and then how they join.

Left out on purpose: what an event says. A chain whose end was cut off is whole; who keeps a head elsewhere sees it.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from gateway.audit.files import files_in, shard_folder, shards_in
from gateway.audit.keys import Trusted
from gateway.core.audit_chain import Piece, Verdict, join, walk

_ALONE: Final = 8 * 1024 * 1024
"""Bytes in all up to which processes of their own would cost more than they gain."""


def verify(folder: Path, trusted: Trusted, now: datetime) -> tuple[Verdict, ...]:
    """All shards' chains in the folder, by shard. Raises OSError."""
    files = {shard: [file.path for file in files_in(shard_folder(folder, shard))] for shard in shards_in(folder)}
    every = [path for paths in files.values() for path in paths]
    newest = {paths[-1] for paths in files.values() if paths}
    look = partial(_look, trusted=trusted, newest=newest)
    if sum(path.stat().st_size for path in every) <= _ALONE:
        pieces = dict(zip(every, map(look, every), strict=True))
    else:
        with _processes(len(every)) as processes:
            pieces = dict(zip(every, processes.map(look, every), strict=True))
    return tuple(join(shard, [pieces[path] for path in paths], now) for shard, paths in files.items())


def _processes(files: int) -> Executor:
    # Not forked: whoever verifies may have threads.
    return ProcessPoolExecutor(min(files, len(os.sched_getaffinity(0))), get_context("spawn"))


def _look(path: Path, trusted: Trusted, newest: set[Path]) -> Piece:
    return walk(str(path), _lines(path, open_end=path in newest), trusted)


def _lines(path: Path, *, open_end: bool) -> Iterator[bytes]:
    """Without their ends. In the newest file a line without one is not written yet, or what a crash left of it."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]
            elif not open_end:
                yield line + b"\n"  # No whole line, whatever stands in it.
