"""Whose request it is: the connection's own address, or what a proxy of ours says behind which it stands.

Of X-Forwarded-For the last address counts that is not a proxy of ours: what stands before it anybody could have
written.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request

from gateway.portal.options import PageOptions


def address_of(request: Request, page: PageOptions) -> str:
    """An IP address; empty if the server does not know it."""
    peer = request.client.host if request.client is not None else ""
    if not is_proxy(peer, page):
        return peer
    named = [part.strip() for field in request.headers.getlist("x-forwarded-for") for part in field.split(",")]
    for part in reversed(named):
        if _address(part) is None:
            return peer
        if not is_proxy(part, page):
            return part
    return peer


def is_proxy(text: str, page: PageOptions) -> bool:
    """Whether an address is one of our proxies'."""
    found = _address(text)
    return found is not None and any(found in network for network in page.proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
