"""The envelope: who handed the message over, its reverse-path, and its recipients with their DSN wishes (RFC 3461)."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from gateway.core.address import Address, ReversePath


class Notify(StrEnum):
    """When the sender wants a DSN for a recipient (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


class Ret(StrEnum):
    """How much of the message a DSN returns (RFC 3461 section 4.3)."""

    FULL = "FULL"
    HDRS = "HDRS"


class BodyType(StrEnum):
    """The BODY= parameter (RFC 6152 section 3). BINARYMIME is not offered."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


class Admission(Enum):
    """By what a client was allowed to relay. AUTH's place is left open."""

    NETWORK = "network"
    CERTIFICATE = "certificate"
    HEADER = "certificate and header"
    MTA = "the MTA in front"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class InboundTls:
    """The TLS session that a client spoke to us, for the Received field (RFC 8314 section 4.3)."""

    version: str
    cipher: str
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The admitted peer: ``identity`` is an address or a certificate's name, ``how`` it was admitted."""

    identity: str
    how: Admission
    address: str
    helo: str
    tls: InboundTls | None
    esmtp: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One RCPT: ``notify`` empty means the parameter was absent; ``orcpt`` is kept as it was sent (xtext)."""

    address: Address
    notify: frozenset[Notify] = frozenset()
    orcpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """All that MAIL and RCPT said; ``envid`` is kept as it was sent (xtext). Recipients are distinct by address.

    ``require_tls`` is REQUIRETLS (RFC 8689 section 2).
    """

    client: Client
    listener: str
    reverse_path: ReversePath
    recipients: tuple[Recipient, ...]
    ret: Ret | None = None
    envid: str | None = None
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    require_tls: bool = False
