"""How often each reader fetched each file of a package. Left out on purpose: which file it is."""

import sqlite3

from gateway.core.sealed import Reader


def fetch(db: sqlite3.Connection, reader: Reader, file: str) -> bool:
    """Counts one more; False if the reader has had it as often as may be."""
    row = db.execute(
        "SELECT times FROM fetched WHERE package = ? AND number = ? AND file = ?", (reader.package, reader.number, file)
    ).fetchone()
    if reader.downloads is not None and row is not None and row["times"] >= reader.downloads:
        return False
    db.execute(
        "INSERT INTO fetched VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
        (reader.package, reader.number, file),
    )
    db.execute(
        "UPDATE readers SET downloaded = downloaded + 1 WHERE package = ? AND number = ?",
        (reader.package, reader.number),
    )
    return True
