"""MTA-STS: what a mail domain publishes about its mail hosts (RFC 8461 section 3), as values and their strict grammar.

Fetching and keeping policies is `net.mta_sts`'s.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from typing import TypeAlias


class StsMode(StrEnum):
    """What a sender does when a host does not match or cannot prove its name (RFC 8461 section 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPolicy:
    """One policy. ``mx`` are its patterns in lower case: a host name, or ``*.`` and a name; ``max_age`` is capped."""

    mode: StsMode
    max_age: timedelta
    mx: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The policy as a TLSRPT report shows it (RFC 8460 section 4.4)."""
        hosts = (f"mx: {pattern}" for pattern in self.mx)
        return ("version: STSv1", f"mode: {self.mode}", *hosts, f"max_age: {self.max_age // timedelta(seconds=1)}")

    def matches(self, host: str) -> bool:
        """Whether a pattern means the host, a lower-case name; ``*`` is one whole label (RFC 8461 section 4.1)."""
        return host in self.mx or f"*.{host.partition('.')[2]}" in self.mx


@dataclass(frozen=True, slots=True)
class StsFound:
    """The policy in force for a domain, kept or fresh; ``id`` is the one of its TXT record."""

    domain: str
    id: str
    policy: StsPolicy


@dataclass(frozen=True, slots=True)
class StsUnknown:
    """There may be a policy, and none could be had: mail goes as without one, and authenticity is not known."""

    reason: str


class NoSts(Enum):
    """The domain publishes none, for all that unsigned DNS can say."""

    NONE = "the domain publishes no MTA-STS policy"


StsFacts: TypeAlias = StsFound | StsUnknown | NoSts
