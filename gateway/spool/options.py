"""What a spool is told: how long leases live, and the sizes at which it changes its ways."""

from dataclasses import dataclass
from datetime import timedelta

from gateway.spool.body_keys import NO_KEYS, BodyKeys

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """Sizes are bytes.

    ``lease`` must outlast the renewals of a slow delivery (RFC 5321 section 4.5.3.2 allows 10 minutes for the reply
    to the final dot). Bodies up to ``inline`` live in their row, larger ones in files. The write-ahead log is folded
    back into the database when it reaches ``log``. ``reserve`` is kept free besides, see `floor`. ``keys`` seal bodies.
    """

    lease: timedelta = timedelta(minutes=15)
    inline: int = 128 * 1024
    reserve: int = 64 * MEBIBYTE
    log: int = 64 * MEBIBYTE
    keys: BodyKeys = NO_KEYS

    @property
    def floor(self) -> int:
        """The free space below which no new mail is taken, so that what is there can still be settled.

        Folding a log back may need as much space as the log has before it gives its own back.
        """
        return self.reserve + self.log
