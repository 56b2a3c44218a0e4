"""What a spool is told: how long leases live, and the sizes at which it changes its ways."""

from dataclasses import dataclass
from datetime import timedelta

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """Sizes are bytes.

    ``lease`` must outlast the renewals of a slow delivery (RFC 5321 section 4.5.3.2 allows 10 minutes for the reply
    to the final dot). Bodies up to ``inline`` live in their row, larger ones in files. ``reserve`` is the free disk
    space below which no new mail is taken, so that what is there can still be settled. The write-ahead log is folded
    back into the database when it reaches ``log``.
    """

    lease: timedelta = timedelta(minutes=15)
    inline: int = 128 * 1024
    reserve: int = 64 * MEBIBYTE
    log: int = 64 * MEBIBYTE
