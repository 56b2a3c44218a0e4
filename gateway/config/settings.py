"""What sealpost.toml says, as the parts of the gateway are told it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from gateway.audit.options import AuditOptions
from gateway.core.demand import RequireTls
from gateway.core.pin import NO_PINS, Pins
from gateway.core.record import Kind
from gateway.core.route import Route
from gateway.desk.options import DeskOptions
from gateway.flow.options import PortalOptions, QueueOptions, TlsrptOptions
from gateway.listeners.options import AdminOptions, MilterOptions, Network, SmtpOptions
from gateway.net.dns import DnsOptions
from gateway.portal.options import PageOptions
from gateway.sealed.keys import Keyring
from gateway.signing.keys import DkimKey
from gateway.transports.mx import MxOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``workers`` 0 leaves the number to the supervisor; ``queue`` counts for the whole machine.

    ``transport_options`` maps a route's name to the Options of its transport; ``system`` our own mail to its route.
    ``watch`` says that a changed file is loaded without being asked for. ``tlsrpt`` None: nobody gets reports.
    ``returned`` is the route of mail that a sealing host handed back. ``sealing`` are the keys that wrap those of
    sealed messages; ``portal`` and ``pages`` are there together or not. ``audit`` None: it stays in the spool.
    """

    hostname: str
    policy: Path
    workers: int
    smtp: tuple[SmtpOptions, ...] = field(repr=False)
    admin: AdminOptions | None
    hop_key: bytes = field(repr=False)
    dns: DnsOptions
    tls_ca: Path | Literal["system"]
    mx: MxOptions
    spool_dir: Path
    queue: QueueOptions
    routes: Mapping[str, Route]
    transport_options: Mapping[str, object] = field(repr=False)
    internal_networks: tuple[Network, ...]
    system: Mapping[Kind, str]
    log_level: str
    watch: bool = False
    desk: DeskOptions | None = None
    pins: Pins = NO_PINS
    require_tls: RequireTls = RequireTls.STARTTLS
    remember_tls: timedelta = timedelta(days=7)
    tlsrpt: TlsrptOptions | None = None
    dkim: tuple[DkimKey, ...] = field(default=(), repr=False)
    returned: str = "opportunistic"
    sealing: Keyring | None = field(default=None, repr=False)
    spool_keys: tuple[bytes, ...] = field(default=(), repr=False)
    portal: PortalOptions | None = None
    pages: PageOptions | None = None
    milter: tuple[MilterOptions, ...] = ()
    audit: AuditOptions | None = None

    @property
    def listeners(self) -> tuple[str, ...]:
        """The names of all doors for mail."""
        return tuple(options.name for options in (*self.smtp, *self.milter))
