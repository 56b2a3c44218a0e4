"""What the exporter of the audit is told."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """``key`` is the private key that signs anchors, PEM. ``file_size`` is in bytes; a day ends a file too.

    A file is removed ``keep`` after the next one began, and never while ``legal_hold`` is on.
    """

    folder: Path
    key: bytes = field(repr=False)
    anchor_every: timedelta = timedelta(minutes=10)
    file_size: int = 64 * MIB
    keep: timedelta = timedelta(days=730)
    legal_hold: bool = False
