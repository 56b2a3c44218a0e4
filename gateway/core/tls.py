"""Protection: the order of floors, and the two axes of a connection (mission promise 1, RFC 8461, RFC 7672).

The MX axis says how the host's name was authenticated, the channel axis how the connection was. What one host has to
be is `core.demand`'s; names for what a connection was are `core.grade`'s.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import Final


class Protection(IntEnum):
    """What a message may not fall below; ordered. A level's floor, a button's demand, what a route gives."""

    NONE = 0
    ENCRYPTED = 1
    VERIFIED = 2
    SEALED = 3

    @property
    def label(self) -> str:
        """The word of the configuration, e.g. ``encrypted``."""
        return self.name.lower()


class MxAuth(IntEnum):
    """How the name of the MX host is known; ``LOCAL`` is an administrator's own setting."""

    NONE = 0
    MTA_STS = 1
    DNSSEC = 2
    LOCAL = 3


class Channel(IntEnum):
    """What the connection is; ``ENCRYPTED`` means that the certificate was not checked.

    ``PKIX`` is a chain to an authority and a name, ``PINNED`` a key that the administrator knows, ``DANE`` a TLSA
    record.
    """

    PLAIN = 0
    ENCRYPTED = 1
    PKIX = 2
    PINNED = 3
    DANE = 4


@dataclass(frozen=True, slots=True)
class Requirement:
    """The least that a connection must be before MAIL is said on it."""

    mx: MxAuth
    channel: Channel

    def __or__(self, other: "Requirement") -> "Requirement":
        """Both of them: the higher on each axis."""
        return Requirement(max(self.mx, other.mx), max(self.channel, other.channel))


NOTHING: Final = Requirement(MxAuth.NONE, Channel.PLAIN)
"""What an opportunistic delivery demands."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """What a connection turned out to be."""

    mx: MxAuth
    channel: Channel

    def meets(self, requirement: Requirement) -> bool:
        """Both axes at least as demanded."""
        return self.mx >= requirement.mx and self.channel >= requirement.channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the transport saw of the connection that carried (or refused) a message; stored with each outcome.

    ``version`` is the record's own. ``tls_version`` is None on a plain connection. ``chain_digest`` and ``spki`` are
    the SHA-256 of the certificate and of its public key, in hex. ``mx`` and ``channel`` are what was
    obtained. ``how`` is a sentence such as "certificate checked for the name mx.example". ``demanded_by`` names
    all that made a demand: route and floor, a pin, DANE, an MTA-STS policy, REQUIRETLS.
    """

    version: int = 2
    mx_host: str
    address: str
    port: int
    tls_version: str | None = None
    cipher: str | None = None
    chain_digest: str | None = None
    spki: str | None = None
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()
    not_after: datetime | None = None
    mx: MxAuth = MxAuth.NONE
    channel: Channel = Channel.PLAIN
    how: str
    demanded_by: str

    @property
    def verified(self) -> bool:
        """Whether the certificate was checked, in any of the three ways, and good."""
        return self.channel in (Channel.PKIX, Channel.PINNED, Channel.DANE)


CHANNEL_FOR: Final = {
    Protection.NONE: Channel.PLAIN,
    Protection.ENCRYPTED: Channel.ENCRYPTED,
    Protection.VERIFIED: Channel.PKIX,
}


class Starttls(Enum):
    """What is known of a host's STARTTLS: a certain yes, a certain no, or nothing."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Step(Enum):
    """What a session does after EHLO (and after a handshake that failed)."""

    STARTTLS = "starttls"
    PLAIN = "plain"
    DECLINE = "decline"
    DEFER = "defer"


PLAIN_AFTER: Final = timedelta(minutes=5)
"""A broken STARTTLS is met in the clear from the second attempt on, this long after the first (floor none only)."""


def next_step(
    requirement: Requirement,
    *,
    offered: bool,
    handshake_failed: bool,
    first_failed_for: timedelta | None,
    proven: bool,
) -> Step:
    """Decides between TLS, clear text, and neither; transports have no such branch of their own.

    ``first_failed_for`` is how long ago an earlier attempt failed its handshake, None if none did. ``proven`` says
    whether what is missing, the offer or the handshake, is known for certain to be the host's own doing.
    """
    if offered and not handshake_failed:
        return Step.STARTTLS
    if requirement.channel > Channel.PLAIN:
        return Step.DECLINE if proven else Step.DEFER
    if not offered:
        return Step.PLAIN
    repeated = first_failed_for is not None and first_failed_for >= PLAIN_AFTER
    return Step.PLAIN if repeated else Step.DEFER
