"""The history of packages: what happened, when, to which reader; who and what besides is sealed."""

import sqlite3
from datetime import datetime

from gateway.core.sealed import Happened, Happening, PackageId
from gateway.sealed.schema import micros, moment
from gateway.sealed.secrets_box import Box

_LONGEST = 300


def add(
    db: sqlite3.Connection,
    box: Box,
    package: PackageId,
    number: int | None,
    what: Happening,
    at: datetime,
    who: str = "",
    detail: str = "",
) -> None:
    """One line more."""
    db.execute(
        "INSERT INTO history (package, number, at, what, who, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (
            package, number, micros(at), what.value, box.seal(who[:_LONGEST], package),
            box.seal(detail[:_LONGEST], package),
        ),
    )  # fmt: skip


def told(
    db: sqlite3.Connection, box: Box, package: PackageId, number: int | None, what: Happening | None
) -> tuple[Happened, ...]:
    """All of it, or what is asked for, oldest first."""
    rows = db.execute(
        "SELECT * FROM history WHERE package = ? AND (? IS NULL OR number = ?) AND (? IS NULL OR what = ?) ORDER BY id",
        (package, number, number, what, what),
    ).fetchall()
    return tuple(
        Happened(
            at=moment(row["at"]),
            number=row["number"],
            what=Happening(row["what"]),
            who=box.open(row["who"], package),
            detail=box.open(row["detail"], package),
        )
        for row in rows
    )
