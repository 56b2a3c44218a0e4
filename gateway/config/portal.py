"""``[portal]`` and ``[listen.portal]``: how messages that are sealed here reach people, and where they open them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.config.page import Page
from gateway.config.routes import Routes
from gateway.config.tables import ConfigTable, PortalListenTable, PortalTable
from gateway.config.units import parse_endpoint
from gateway.config.web_url import read_url
from gateway.core.address import Address, BadAddress, parse_address
from gateway.core.policy import Policy
from gateway.core.record import Kind
from gateway.flow.options import PortalOptions
from gateway.portal.options import PageOptions
from gateway.portal.scanner import parse_scanner
from gateway.transports.portal import MOST_DAYS

_LISTEN: Final = "listen.portal"
_NEEDED: Final = {"notifications": Kind.NOTIFICATION, "codes": Kind.CODE}
LARGEST_LOGO: Final = 256 * 1024


def read_pages(page: Page, table: ConfigTable, base: Path) -> PageOptions | None:
    """Where the pages are served; None unless both tables are there."""
    listen, portal = table.listen.portal, table.portal
    if listen is None or portal is None:
        return None
    host, port = parse_endpoint(listen.address)
    _check_listener(page, listen)
    if portal.scanner is not None:
        try:
            parse_scanner(portal.scanner)
        except ValueError as exc:
            page.problem("portal.scanner", str(exc))
    return PageOptions(
        host=host,
        port=port,
        url=read_url(page, f"{_LISTEN}.url", listen.url, "https://secure.council.example"),
        certificate=_beside(base, listen.certificate),
        private_key=_beside(base, listen.private_key),
        proxies=tuple(listen.proxies),
        logo=_logo(page, base, portal),
        scanner=portal.scanner,
        languages=_beside(base, portal.languages),
    )


def _beside(base: Path, name: str | None) -> Path | None:
    return None if name is None else base / name


def _check_listener(page: Page, listen: PortalListenTable) -> None:
    """A page over TLS has a certificate, or a proxy in front of it that is named."""
    if any(network.prefixlen == 0 for network in listen.proxies):
        page.problem(f"{_LISTEN}.proxies", "everybody would be believed: name the addresses of the proxy alone")
    if listen.private_key is not None and listen.certificate is None:
        page.problem(f"{_LISTEN}.private_key", "this needs certificate")
    if listen.certificate is None and not listen.proxies and listen.url.startswith("https:"):
        page.problem(f"{_LISTEN}.certificate", "name our certificate, or in proxies the proxy that speaks TLS for us")


def _logo(page: Page, base: Path, portal: PortalTable) -> Path | None:
    """A PNG or JPEG, small enough to be read for every page."""
    if portal.logo is None:
        return None
    path = base / portal.logo
    try:
        size = path.stat().st_size
    except OSError as exc:
        page.problem("portal.logo", f"the file `{portal.logo}` cannot be read: {exc.strerror}")
        return None
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg") or size > LARGEST_LOGO:
        page.problem("portal.logo", "a logo is a .png or .jpg of at most 256 KiB")
        return None
    return path


def check_sealing(page: Page, table: ConfigTable, routes: Routes) -> None:
    """What routes that seal need besides their own table."""
    portals = [name for name, route in routes.routes.items() if route.transport == "portal"]
    archives = [name for name, route in routes.routes.items() if route.transport == "archive"]
    if portals and table.portal is None:
        page.problem(f"routes.{portals[0]}.transport", "a portal needs [portal], with what its letters say")
    if table.portal is not None and table.listen.portal is None:
        page.problem("portal", "this needs [listen.portal], where its pages are served")
    if table.listen.portal is not None and table.portal is None:
        page.problem("listen.portal", "this needs [portal], with what its letters say")
    if (portals or archives or table.portal is not None) and table.secrets.sealing is None:
        page.problem(
            "secrets.sealing", "this key is missing: the key that seals messages; `sealpost certs init` makes it"
        )
    if table.portal is not None:
        _check_system(page, table)


def _check_system(page: Page, table: ConfigTable) -> None:
    portal = table.portal
    named: Mapping[str, object] = table.system.model_dump()
    for kind in _NEEDED:
        if named[kind] is None:
            page.problem(f"system.{kind}", "[portal] needs the route that these letters leave by")
    if portal is not None and portal.max_reply and named["replies"] is None:
        page.problem("system.replies", "replies from the portal need the route by which mail from outside comes in")


def read_portal(page: Page, table: ConfigTable, policy: Policy) -> PortalOptions | None:
    """What letters about sealed messages say; it rests on the policy's levels and roles."""
    portal, listen = table.portal, table.listen.portal
    if portal is None or listen is None:
        return None
    sender = _sender(page, portal, policy)
    if portal.expires > MOST_DAYS:
        page.problem("portal.expires", "a message lies in the portal for at most 28d; one by one it can be extended")
    if sender is None:
        return None
    return PortalOptions(
        url=listen.url.rstrip("/"),
        sender=sender,
        organisation=policy.organisation.name,
        telephone=portal.telephone,
        wording=tuple(portal.wording),
        codes_for=_levels(page, "portal.unlock_by_mail_max", portal.unlock_by_mail_max, policy),
        subject_for=_levels(page, "portal.subject_max", portal.subject_max, policy),
        expires=portal.expires,
        reminder=portal.reminder,
        receipts=portal.receipts,
        officer=_officer(page, portal, policy),
        max_reply=portal.max_reply,
    )


def _sender(page: Page, portal: PortalTable, policy: Policy) -> Address | None:
    """In a domain of ours: only there do SPF, DKIM and DMARC speak for it."""
    try:
        sender = parse_address(portal.sender)
    except BadAddress as exc:
        page.problem("portal.sender", f"this is a mail address: {exc}")
        return None
    if not policy.owns(sender.domain):
        page.problem("portal.sender", f"letters come from a domain of the organisation, and `{sender.domain}` is none")
    return sender


def _levels(page: Page, key: str, highest: str | None, policy: Policy) -> frozenset[str]:
    """That level and those below it; without one, none."""
    levels = policy.reading.levels
    if highest is None:
        return frozenset()
    if highest not in levels:
        page.unknown(key, "level", highest, levels)
        return frozenset()
    return frozenset(levels[: levels.index(highest) + 1])


def _officer(page: Page, portal: PortalTable, policy: Policy) -> Address | None:
    if portal.officer is None:
        page.warning(
            "portal.officer", "nobody is told but the sender when a reader says that a message is not for them"
        )
        return None
    if portal.officer not in policy.roles:
        page.unknown("portal.officer", "role", portal.officer, policy.roles)
        return None
    return policy.roles[portal.officer]
