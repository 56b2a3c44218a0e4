"""The tables of sealpost.toml as they are written; `gateway.config.load` turns them into what the parts are told.

Routes stand apart (`gateway.config.routes`), because each transport brings keys of its own.
"""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.config.page import Strict, Table
from gateway.config.units import (
    Duration,
    Endpoint,
    Hostname,
    Line,
    MilterEndpoint,
    NetworkField,
    SealingSecret,
    Secret,
    Size,
    SpoolUrl,
)
from gateway.listeners.options import Network


class AllowTable(Strict):
    """``[[listen.smtp.allow]]``: a header's value is literal, or ``file:`` and a name."""

    networks: list[NetworkField] = Field(default_factory=list[Network])
    client_name: Hostname | None = None
    require_header: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])


class SmtpTable(Strict):
    """``[[listen.smtp]]``. Its name in metrics is its address unless it is given one."""

    address: Endpoint
    name: str | None = Field(default=None, pattern=r"^[\w.:\[\]-]{1,60}$")
    certificate: str | None = None
    private_key: str | None = None
    client_ca: str | None = None
    refusals: Literal["session", "report"] = "report"
    allow: list[AllowTable] = Field(default_factory=list[AllowTable])
    max_message: Size = 150 * 1024 * 1024
    max_recipients: int = Field(default=1000, ge=100)
    max_connections: int = Field(default=500, ge=1)
    max_per_address: int = Field(default=100, ge=1)
    timeout: Duration | None = None


class MilterTable(Strict):
    """``[[listen.milter]]``: a door for an MTA that stays in front of us."""

    address: MilterEndpoint
    name: str | None = Field(default=None, pattern=r"^[\w.:/\[\]-]{1,100}$")
    permissions: str = Field(default="0660", pattern=r"^0[0-7]{3}$")
    mode: Literal["takeover", "gate", "tag"] = "takeover"
    refusals: Literal["session", "report"] | None = None
    allow: list[NetworkField] | None = None
    max_message: Size = 150 * 1024 * 1024
    max_recipients: int = Field(default=1000, ge=100)
    max_connections: int = Field(default=500, ge=1)
    timeout: Duration | None = None


class AdminTable(Strict):
    """``[listen.admin]``."""

    address: Endpoint


class DeskTable(Strict):
    """``[listen.desk]``: the page where held mail is released. ``user_header`` is believed from ``proxies`` alone.

    ``releasers`` are the people of each role, by address; ``readers`` those of them who may also see the content.
    """

    address: Endpoint
    url: str
    proxies: list[NetworkField] = Field(min_length=1)
    user_header: str = Field(pattern=r"^[A-Za-z0-9-]{1,60}$")
    releasers: dict[str, list[str]] = Field(min_length=1)
    readers: list[str] = Field(default_factory=list[str])


class PortalListenTable(Strict):
    """``[listen.portal]``: where readers open sealed messages. Without ``certificate`` a proxy speaks TLS for it."""

    address: Endpoint
    url: str
    certificate: str | None = None
    private_key: str | None = None
    proxies: list[NetworkField] = Field(default_factory=list[Network])


class ListenTable(Strict):
    """``[listen]``."""

    smtp: list[SmtpTable] = Field(default_factory=list[SmtpTable])
    milter: list[MilterTable] = Field(default_factory=list[MilterTable])
    admin: AdminTable | None = None
    desk: DeskTable | None = None
    portal: PortalListenTable | None = None

    @model_validator(mode="after")
    def _takes_mail(self) -> Self:
        if not (self.smtp or self.milter):
            raise ValueError("nothing takes mail: give [[listen.smtp]] or [[listen.milter]]")
        return self


class SecretsTable(Strict):
    """``[secrets]``: each ``file:`` and a name."""

    hop: Secret
    sealing: SealingSecret | None = None
    spool: SealingSecret | None = None


class DnsTable(Strict):
    """``[dns]``: without nameservers it is the system's own."""

    nameservers: list[str] = Field(default_factory=list[str])
    trust_ad: bool = False
    timeout: Duration | None = None


class PinTable(Strict):
    """``[[tls.pins]]``: what the mail hosts of one partner have to prove."""

    name: Line
    domains: list[str] = Field(min_length=1)
    grade: Literal["encrypted", "verified", "authentic", "pinned", "dane"]
    fingerprints: list[str] = Field(default_factory=list[str])
    match_names: list[Hostname] = Field(default_factory=list[str])
    ca: str | None = None
    client_certificate: str | None = None
    private_key: str | None = None


class TlsTable(Strict):
    """``[tls]``: "system", or a file of authorities."""

    ca: str = "system"
    remember: Duration = timedelta(days=7)
    requiretls: Literal["enforce", "opportunistic+starttls", "opportunistic"] = "opportunistic+starttls"
    pins: list[PinTable] = Field(default_factory=list[PinTable])


class TlsrptTable(Strict):
    """``[tlsrpt]``: with it, domains that ask for reports about TLS get them."""

    organisation: Line
    contact: str
    sender: str


class DkimTable(Strict):
    """``[[dkim]]``: one key; several for a domain sign together."""

    domains: list[Hostname] = Field(min_length=1)
    selector: Hostname
    key: Secret


class MxTable(Strict):
    """``[mx]``: private addresses of MX hosts are unusable unless listed."""

    port: int = Field(default=25, ge=1, le=65535)
    allow_networks: list[NetworkField] = Field(default_factory=list[Network])


class SpoolTable(Strict):
    """``[spool]``."""

    url: SpoolUrl


class QueueTable(Strict):
    """``[queue]``; what is not given keeps the default of `gateway.flow.options.QueueOptions`."""

    max_age: Duration | None = None
    door_wait: Duration | None = None
    hold_max: Duration | None = None
    notice_after: Duration | None = None
    retry_min: Duration | None = None
    retry_max: Duration | None = None
    audit_keep: Duration | None = None
    per_destination: int | None = Field(default=None, ge=1)
    in_flight: int | None = Field(default=None, ge=1)


class NetworkTable(Strict):
    """``[network]``: the networks that are inside."""

    internal: list[NetworkField] = Field(default_factory=list[Network])


class SystemTable(Strict):
    """``[system]``: the route of our own mail, by kind."""

    reports: str
    notices: str
    notifications: str | None = None
    codes: str | None = None
    replies: str | None = None
    tls_reports: str | None = None
    returned: str | None = None


class PortalTable(Strict):
    """``[portal]``: how messages that are sealed here reach people."""

    sender: str
    telephone: Line
    wording: list[Line] = Field(default_factory=list[str], max_length=10)
    logo: str | None = None
    unlock_by_mail_max: str | None = None
    subject_max: str | None = None
    expires: Duration = timedelta(days=28)
    reminder: Duration = timedelta(days=3)
    receipts: bool = True
    officer: str | None = None
    max_reply: Size = 25 * 1024 * 1024
    scanner: str | None = None
    languages: str | None = None


class AuditTable(Strict):
    """``[audit]``: with it, the audit is exported to signed chains of files."""

    folder: Line
    key: Secret
    anchor: Duration = timedelta(minutes=10)
    file_size: Size = 64 * 1024 * 1024
    keep: Duration = timedelta(days=730)
    legal_hold: bool = False


class LogTable(Strict):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class ReloadTable(Strict):
    """``[reload]``: ``watch`` reloads when a file changes, else only a command or SIGHUP does."""

    watch: bool = False


class ConfigTable(Strict):
    """The whole of sealpost.toml."""

    hostname: Hostname
    policy: str
    workers: int = Field(default=0, ge=0, le=256)
    listen: ListenTable
    secrets: SecretsTable
    dns: DnsTable = DnsTable()
    tls: TlsTable = TlsTable()
    mx: MxTable = MxTable()
    spool: SpoolTable
    queue: QueueTable = QueueTable()
    routes: dict[str, Table]
    network: NetworkTable = NetworkTable()
    system: SystemTable
    portal: PortalTable | None = None
    tlsrpt: TlsrptTable | None = None
    dkim: list[DkimTable] = Field(default_factory=list[DkimTable])
    audit: AuditTable | None = None
    log: LogTable = LogTable()
    reload: ReloadTable = ReloadTable()


class RouteTable(Strict):
    """What every ``[routes.<name>]`` has; all other keys are its transport's."""

    transport: str
    tls: Literal["may", "encrypt", "verify", "authentic"] | None = None
    protection: Literal["sealed", "internal"] | None = None
    give_up_after: Duration | None = None
    max_attachments: Size | None = None
    max_message: Size | None = None
    add_header: dict[str, str] = Field(default_factory=dict[str, str])
    returns: bool = False
    sender_suffix: str = ""
    recipient_suffix: str = ""
