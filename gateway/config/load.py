"""A bundle → settings and policy: pure, and with every problem of both files at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.config.admission import authorities, read_listeners
from gateway.config.audit import read_audit
from gateway.config.beside import Beside, unpack_policy
from gateway.config.bundle import Bundle
from gateway.config.checks.floors import check_chains, check_policy
from gateway.config.connectors import read_returned
from gateway.config.desk import check_desk, read_desk
from gateway.config.dkim import check_signed, read_dkim
from gateway.config.milter import read_milters
from gateway.config.page import Page, as_table
from gateway.config.pins import read_pins
from gateway.config.policy_file import read_policy
from gateway.config.portal import check_sealing, read_pages, read_portal
from gateway.config.problems import ConfigError, Problem
from gateway.config.routes import Routes, check_internal, read_routes
from gateway.config.secrets import Secrets
from gateway.config.settings import Settings
from gateway.config.tables import AdminTable, ConfigTable, SystemTable
from gateway.config.tlsrpt import read_tlsrpt
from gateway.config.units import parse_endpoint, parse_spool
from gateway.core.demand import RequireTls
from gateway.core.policy import Policy
from gateway.core.record import Kind
from gateway.core.route import Declared
from gateway.core.tls import Protection
from gateway.flow.options import QueueOptions
from gateway.listeners.options import AdminOptions
from gateway.net.dns import DnsOptions
from gateway.transports.mx import MxOptions

_KINDS: Final = {
    "reports": Kind.REPORT,
    "notices": Kind.NOTICE,
    "notifications": Kind.NOTIFICATION,
    "codes": Kind.CODE,
    "replies": Kind.REPLY,
    "tls_reports": Kind.TLS_REPORT,
}
_TLS_REPORTS: Final = "tls_reports"
_ANY: Final = Protection.NONE
_FOR_OUR_PEOPLE: Final = (Kind.REPORT, Kind.NOTICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that can be used, and what somebody should look at all the same."""

    settings: Settings
    policy: Policy
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What could be read of a configuration, and all that is wrong; ``settings`` and ``policy`` may rest on gaps."""

    bundle: Bundle
    settings: Settings | None
    routes: Routes
    policy: Policy | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    def loaded(self) -> Loaded:
        """The configuration to be used.

        Raises:
            ConfigError: with all problems.
        """
        if self.problems or self.settings is None or self.policy is None:
            raise ConfigError(self.problems)
        return Loaded(settings=self.settings, policy=self.policy, warnings=self.warnings)


def load(bundle: Bundle) -> Loaded:
    """Reads and checks both files.

    Raises:
        ConfigError: with all problems.
    """
    return examine(bundle).loaded()


def examine(bundle: Bundle) -> Examined:
    """Reads and checks both files, as far as they can be read."""
    page, policy_page = Page(str(bundle.config)), Page(str(bundle.policy))
    data = page.toml(bundle.config_bytes) or {}
    secrets = Secrets(page, bundle)
    table = page.validate(ConfigTable, data)
    routes = read_routes(page, as_table(data.get("routes")), secrets)
    settings = None if table is None else _settings(page, table, routes, secrets)
    policy = _policy(page, policy_page, bundle, routes)
    if table is not None and settings is not None and policy is not None:
        settings = replace(settings, portal=read_portal(page, table, policy))
        check_desk(page, settings.desk, policy)
        check_signed(page, settings.dkim, policy)
    return Examined(
        bundle=bundle,
        settings=settings,
        routes=routes,
        policy=policy,
        problems=(*page.problems, *policy_page.problems),
        warnings=(*page.warnings, *policy_page.warnings),
    )


def policy_from(text: bytes, settings: Settings) -> Policy:
    """A policy that was kept with the mail it accepted (`Bundle.policy_text`); routes may have changed or gone since.

    Raises:
        ConfigError: this is not the text of a policy and its registers.
    """
    page = Page("the kept policy")
    try:
        policy_bytes, files = unpack_policy(text)
    except ValueError as exc:
        raise ConfigError((Problem(file=page.file, key="", text=str(exc)),)) from exc
    policy = read_policy(page, policy_bytes, settings.routes, Beside(files=files))
    if policy is None:
        raise ConfigError(tuple(page.problems))
    return policy


def _policy(page: Page, policy_page: Page, bundle: Bundle, routes: Routes) -> Policy | None:
    if bundle.policy_error:
        if any(problem.key == "policy" for problem in page.problems):
            # It is not named, which has been said; what stands in its place is no file.
            return None
        page.problem("policy", f"the file `{bundle.policy}` cannot be read: {bundle.policy_error}")
        return None
    policy = read_policy(policy_page, bundle.policy_bytes, routes.routes, bundle.beside, routes.names)
    if policy is not None:
        check_policy(policy_page, policy)
    # From the table itself, so that no other problem of the policy hides it.
    check_chains(policy_page, Page(policy_page.file).toml(bundle.policy_bytes) or {}, routes.names)
    return policy


def _settings(page: Page, table: ConfigTable, routes: Routes, secrets: Secrets) -> Settings:
    base = secrets.bundle.base
    check_internal(page, table.routes, table.network.internal)
    sealing = secrets.sealing_keys(table.secrets.sealing, "secrets.sealing")
    spool_keys = secrets.sealing_keys(table.secrets.spool, "secrets.spool")
    check_sealing(page, table, routes)
    return Settings(
        hostname=table.hostname,
        policy=secrets.bundle.policy,
        workers=table.workers,
        smtp=read_listeners(page, table.listen.smtp, base, secrets),
        milter=read_milters(page, table.listen),
        admin=_admin(table.listen.admin),
        hop_key=secrets.hop_key(table.secrets.hop, "secrets.hop"),
        dns=_dns(page, table),
        tls_ca=authorities(base, table.tls.ca),
        mx=MxOptions(port=table.mx.port, allow_networks=tuple(table.mx.allow_networks)),
        spool_dir=base / parse_spool(table.spool.url),
        queue=_queue(page, table),
        routes=routes.routes,
        transport_options=routes.options,
        internal_networks=tuple(table.network.internal),
        system=_system(page, table.system, routes),
        returned=read_returned(page, table.system, routes.routes, routes.names),
        log_level=table.log.level,
        watch=table.reload.watch,
        desk=read_desk(page, table.listen.desk),
        pins=read_pins(page, table.tls.pins, base, dane=table.dns.trust_ad),
        require_tls=RequireTls(table.tls.requiretls),
        remember_tls=table.tls.remember,
        tlsrpt=read_tlsrpt(page, table.tlsrpt, table.system, table.dkim),
        dkim=read_dkim(page, table.dkim, secrets),
        sealing=sealing,
        spool_keys=spool_keys.secrets if spool_keys else (),
        pages=read_pages(page, table, base),
        audit=read_audit(page, table.audit, base, secrets),
    )


def _admin(table: AdminTable | None) -> AdminOptions | None:
    if table is None:
        return None
    host, port = parse_endpoint(table.address)
    return AdminOptions(host=host, port=port)


def _dns(page: Page, table: ConfigTable) -> DnsOptions:
    given = {"timeout": table.dns.timeout} if table.dns.timeout else {}
    if table.dns.trust_ad and not table.dns.nameservers:
        page.problem("dns.trust_ad", "name the resolver that is trusted in dns.nameservers, such as 127.0.0.1:53")
    try:
        return DnsOptions(nameservers=tuple(table.dns.nameservers), trust_ad=table.dns.trust_ad, **given)
    except ValueError as exc:
        page.problem("dns.nameservers", str(exc))
        return DnsOptions()


def _queue(page: Page, table: ConfigTable) -> QueueOptions:
    queue = QueueOptions(**table.queue.model_dump(exclude_unset=True))
    if queue.retry_min > queue.retry_max:
        page.problem("queue.retry_min", "this is longer than queue.retry_max")
    return queue


def _system(page: Page, table: SystemTable, routes: Routes) -> Mapping[Kind, str]:
    """Each kind's route exists, and what we tell our own people should not leave the organisation."""
    named = {kind: route for kind, route in table.model_dump().items() if route is not None}
    for kind, name in named.items():
        route = routes.routes.get(name)
        if name not in routes.names:
            page.unknown(f"system.{kind}", "route", name, routes.names)
        elif route is not None and _KINDS.get(kind) in _FOR_OUR_PEOPLE and route.declared is not Declared.INTERNAL:
            page.warning(
                f"system.{kind}", f"the route `{name}` is not internal, so our own mail may travel unprotected"
            )
        elif route is not None and kind == _TLS_REPORTS and not (route.transport == "mx" and route.gives is _ANY):
            page.warning(
                f"system.{kind}",
                f'the route `{name}` may keep reports from whom they are for: best is a route by MX with tls = "may"',
            )
    return {_KINDS[kind]: name for kind, name in named.items() if kind in _KINDS}
