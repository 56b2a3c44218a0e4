"""What a listener is told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway.flow.custody import Custody
from gateway.flow.options import Refusals

Network: TypeAlias = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """One way to be admitted: every given part must hold. ``require_header`` maps a field to its valid values."""

    networks: tuple[Network, ...] = ()
    client_name: str | None = None
    require_header: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict[str, tuple[bytes, ...]])

    def __post_init__(self) -> None:
        if not (self.networks or self.client_name or self.require_header):
            raise ValueError("an entry that asks for nothing would admit everybody")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpOptions:
    """One ``[[listen.smtp]]``. Sizes are bytes; ``max_recipients`` is at least 100 (RFC 5321 section 4.5.3.1.8).

    ``timeout`` is the longest wait for a command, a block of content or a TLS handshake, and for the peer to take our
    replies (RFC 5321 section 4.5.3.2.7: at least five minutes); a message may take six of it, and a second more for
    every 500 bytes of its content. ``max_per_address`` counts a /64 of IPv6 as one.
    """

    name: str
    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | Literal["system"] | None = None
    refusals: Refusals = Refusals.REPORT
    allow: tuple[Allow, ...] = ()
    max_message: int = 150 * 1024 * 1024
    max_recipients: int = 1000
    max_connections: int = 500
    max_per_address: int = 100
    timeout: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """A Unix socket and who may connect to it."""

    path: Path
    permissions: int = 0o660

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """A TCP socket."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilterOptions:
    """One ``[[listen.milter]]``. Sizes are bytes; ``allow`` is who may connect by TCP.

    ``timeout`` is the longest wait for the MTA: longer than its client may be silent (Postfix's smtpd_timeout is five
    minutes). ``refusals`` is for mail that is taken over.
    """

    name: str
    where: TcpSocket | LocalSocket
    custody: Custody = Custody.TAKEOVER
    refusals: Refusals = Refusals.REPORT
    allow: tuple[Network, ...] = LOOPBACK
    max_message: int = 150 * 1024 * 1024
    max_recipients: int = 1000
    max_connections: int = 500
    timeout: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """``[listen.admin]``: metrics and health."""

    host: str
    port: int
