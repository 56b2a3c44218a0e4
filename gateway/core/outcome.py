"""What came of an attempt, per recipient: Delivered, Sealed, Deferred, Declined or Failed; anything else is a bug."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

from gateway.core.reply import Reply, Status
from gateway.core.sealing import Sealing
from gateway.core.tls import Evidence


class Cause(StrEnum):
    """Why a recipient was deferred. Only PROTECTION lets a deadline move it to the next route."""

    PROTECTION = "protection"
    DNS = "dns"
    UNREACHABLE = "unreachable"
    REPLY_4XX = "reply 4xx"
    MAYBE = "maybe"
    LOCAL = "local"


class Proof(Enum):
    """What a transport proved when it declined: this route cannot carry this message to this recipient."""

    NO_STARTTLS = "no STARTTLS"
    NO_REQUIRETLS = "no REQUIRETLS"
    NOT_AUTHENTIC = "nothing vouches for the host's name"
    TLS_VERSION = "TLS version"
    CERTIFICATE = "certificate"
    NO_KEY = "no usable key"
    SIZE = "size"


class Alarm(StrEnum):
    """What a deferral makes an operator look at, apart from the message's own fate."""

    TLS_LOST = "tls-lost"
    STRIPPED = "starttls-stripped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What the next hop said, and who it was; ``reply`` is cleaned of control characters already."""

    host: str
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The next hop took responsibility. ``relayed_dsn`` says whether it took the DSN parameters too (RFC 3461).

    ``sealing`` says how the message itself was protected, where we did that before it left.
    """

    remote: Remote
    evidence: Evidence
    relayed_dsn: bool = False
    sealing: Sealing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """It lies sealed in our own store, and the recipient is to be notified: an end only when that was delivered."""

    sealing: Sealing


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not now; ``status`` is 4.x.x, ``detail`` one plain sentence. ``handshake_failed`` feeds `core.tls.next_step`.

    ``alarm`` is set where the host looks as if somebody on the way removed its TLS.
    """

    cause: Cause
    status: Status
    detail: str
    remote: Remote | None = None
    evidence: Evidence | None = None
    handshake_failed: bool = False
    alarm: Alarm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """Proven that this route cannot give the protection demanded: the next route may. ``status`` is 5.x.x."""

    proof: Proof
    status: Status
    detail: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Permanently refused by the next hop or its DNS: no other route is tried. ``status`` is 5.x.x."""

    status: Status
    detail: str
    remote: Remote | None = None
    evidence: Evidence | None = None


Outcome: TypeAlias = Delivered | Sealed | Deferred | Declined | Failed
