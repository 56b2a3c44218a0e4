"""Reading what the workers share from outside, for the command line, while workers run or none does."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from gateway.flow.labels_seen import MOST, PREFIX, SeenLabel, labels_of
from gateway.flow.ports import SpoolError
from gateway.spool.codec import micros
from gateway.spool.state import ITEMS, NAME


def read_state(spool: Path, prefix: str, limit: int, now: datetime) -> Mapping[str, bytes]:
    """Values whose keys begin so and that have not expired, by key; none if nothing was ever shared. It blocks.

    Raises:
        SpoolError: they cannot be read.
    """
    path = spool / NAME
    try:
        if not path.exists():
            return {}
        # Without a log nobody has it open, and SQLite would make one even for a reader.
        quiet = not path.with_name(f"{NAME}-wal").exists()
        uri = f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if quiet else ''}"
        db = sqlite3.connect(uri, uri=True, timeout=5)
        try:
            return dict(db.execute(ITEMS, (prefix, prefix + "\U0010ffff", micros(now), limit)).fetchall())
        finally:
            db.close()
    except (sqlite3.Error, OSError) as error:
        raise SpoolError(f"the shared state in {spool} cannot be read: {error}") from error


def labels_seen(spool: Path, now: datetime) -> tuple[SeenLabel, ...]:
    """Label values that no policy named when they were seen lately, the most frequent first. Raises SpoolError."""
    return labels_of(read_state(spool, PREFIX, MOST, now).values())
