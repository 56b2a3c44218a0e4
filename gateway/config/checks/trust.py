"""What a configuration says of DNSSEC: whether DANE is on, and whether the resolver that it believes is near enough."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from gateway.config.page import Page
from gateway.config.settings import Settings
from gateway.net.dns import parse_nameserver

DANE_OFF: Final = (
    "DANE is off: [dns] trust_ad is false, so no signed answer is believed. With a validating resolver on this"
    " machine, such as unbound, set it to true."
)

_SHORT: Final = timedelta(days=1)


def trust_warnings(page: Page, settings: Settings) -> None:
    """A resolver whose word on signatures crosses a network (RFC 7672 section 2.1.1); a memory that is too short."""
    if settings.remember_tls < _SHORT:
        page.warning("tls.remember", "a host that drops its TLS is taken at its word so soon after it showed it")
    if not settings.dns.trust_ad:
        return
    for text in settings.dns.nameservers:
        address = ip_address(parse_nameserver(text)[0])
        if not address.is_loopback:
            page.warning(
                "dns.trust_ad",
                f"the name server {address} is not on this machine: whoever can change packets between them can"
                " make unsigned answers look signed",
            )
