"""Who asks: the address that the signing-in proxy puts into a header field, believed only from the proxy's own address.

Left out on purpose: signing in by ourselves, passwords, sessions and cookies. Forwarding fields are not read at all.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request

from gateway.core.address import BadAddress, parse_address
from gateway.desk.options import DeskOptions


def signed_in(request: Request, options: DeskOptions) -> str | None:
    """The person's `Address.key`; None unless a proxy of ours says exactly one address."""
    if request.client is None or not is_proxy(request.client.host, options):
        return None
    names = request.headers.getlist(options.user_header)
    if len(names) != 1:
        return None
    try:
        return parse_address(names[0].strip()).key
    except BadAddress:
        return None


def is_proxy(host: str, options: DeskOptions) -> bool:
    """Whether the connection from that address is a proxy's of ours."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in options.proxies)
