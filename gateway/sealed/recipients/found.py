"""What every source of certificates gives, and says when it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.address import Address


class LookupFailed(Exception):
    """Whether there is a certificate cannot be told now; the text is one sentence without any secret."""


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate that is said to be of ``holder``: an address, or ``@domain`` for all of a domain.

    ``believed`` says that an administrator named its holder; any other needs an authority, and has to name its holder.
    """

    der: bytes
    holder: str
    believed: bool


class Source(Protocol):
    """One place where certificates are."""

    async def find(self, address: Address) -> Sequence[Found]:
        """All that may be used for that address, good or bad. Raises LookupFailed."""
        ...
