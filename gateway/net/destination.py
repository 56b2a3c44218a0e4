"""Where mail for a domain may be handed over: its MX hosts in order, vetted (RFC 5321 section 5, RFC 7505, RFC 6890).

A domain whose MX records are all unusable never falls back to its address records. Left out on purpose: recognising
our own public addresses; only our own name in an MX list is a loop to us.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from gateway.core.address import BadAddress, parse_domain
from gateway.core.reply import Status
from gateway.core.tls import MxAuth
from gateway.net.answers import MAX_HOSTS, IpAddress, MxRecord, MxRecords, NoMx, Unresolvable
from gateway.net.dns import Resolver

IpNetwork: TypeAlias = IPv4Network | IPv6Network

_NAT64: Final = IPv6Network("64:ff9b::/96")
# The deprecated "IPv4-compatible" addresses (RFC 4291 section 2.5.5.1); some systems still send them to the IPv4 one.
_COMPATIBLE: Final = IPv6Network("::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class MxOptions:
    """``[mx]``. Addresses that are not public are unusable unless they lie in ``allow_networks``."""

    port: int = 25
    allow_networks: tuple[IpNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts to ask in this order; ``more`` says that the list was cut. ``mx`` is how their names are known."""

    names: tuple[str, ...]
    mx: MxAuth
    more: bool = False


@dataclass(frozen=True, slots=True)
class NoMail:
    """A certain answer: this domain cannot get mail. ``status`` is 5.x.x."""

    status: Status
    reason: str


Destination: TypeAlias = Hosts | NoMail | Unresolvable


@dataclass(frozen=True, slots=True)
class Unusable:
    """A host that mail is never handed to; ``reason`` is one sentence."""

    reason: str


Vetted: TypeAlias = tuple[IpAddress, ...] | Unusable | Unresolvable


class Destinations:
    """Finds the hosts of a domain and the addresses of a host."""

    def __init__(self, resolver: Resolver, options: MxOptions, hostname: str) -> None:
        self._resolver = resolver
        self._allowed = options.allow_networks
        self._hostname = hostname.lower()

    async def hosts(self, domain: str) -> Destination:
        """The hosts of a recipient domain (A-labels, or an address literal), best first; not vetted yet."""
        if domain.startswith("["):
            return Hosts((domain,), MxAuth.NONE)
        answer = await self._resolver.mx(domain)
        match answer:
            case Unresolvable():
                return answer
            case NoMx.NXDOMAIN:
                return NoMail(Status(5, 1, 2), f"The domain {domain} does not exist.")
            case NoMx.NULL:
                return NoMail(Status(5, 1, 10), f"The domain {domain} declares that it takes no mail.")
            case NoMx.IMPLICIT:
                return self._without_us(domain, MxRecords((MxRecord(0, domain),), MxAuth.NONE))
            case NoMx.IMPLICIT_SIGNED:
                return self._without_us(domain, MxRecords((MxRecord(0, domain),), MxAuth.DNSSEC))
            case MxRecords():
                return self._without_us(domain, answer)

    def _without_us(self, domain: str, answer: MxRecords) -> Destination:
        """RFC 5321 section 5.1: where we are in the list, hosts that are not better than us would send it back."""
        records = answer.in_order()
        ours = min((record.preference for record in records if record.host == self._hostname), default=None)
        better = [record.host for record in records if ours is None or record.preference < ours]
        if not better:
            return NoMail(Status(5, 4, 6), f"The mail hosts of {domain} lead back to this gateway.")
        names = tuple(dict.fromkeys(better))
        return Hosts(names[:MAX_HOSTS], answer.mx, more=len(names) > MAX_HOSTS)

    async def addresses(self, host: str) -> Vetted:
        """The addresses of an MX host, or of an address literal, that mail may go to, in the order to try them."""
        if host.startswith("["):
            return self._vet(host, [ip_address(literal_text(host))])
        if not _is_host_name(host):
            return Unusable(f"{host} is not the name of a mail host.")
        answer = await self._resolver.addresses(host)
        return answer if isinstance(answer, Unresolvable) else self._vet(host, answer.in_order())

    def _vet(self, host: str, addresses: list[IpAddress]) -> Vetted:
        if not addresses:
            return Unusable(f"The mail host {host} has no address.")
        usable = tuple(address for address in addresses if self._may_be_used(address))
        return usable or Unusable(f"The mail host {host} has only addresses that are not public.")

    def _may_be_used(self, address: IpAddress) -> bool:
        return is_public(address) or any(address in network for network in self._allowed)


def literal_text(host: str) -> str:
    """``1.2.3.4`` of ``[1.2.3.4]``, ``2001:db8::1`` of ``[IPv6:2001:db8::1]``; a name stays what it is."""
    return host.removeprefix("[").removesuffix("]").removeprefix("IPv6:")


@lru_cache(maxsize=4096)
def is_public(address: IpAddress) -> bool:
    """Whether the address is reachable from everywhere (RFC 6890); one that embeds another is as public as that."""
    inner = _embedded(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and address not in _COMPATIBLE


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end at: mapped, 6to4 or NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_host_name(host: str) -> bool:
    """A name that can be looked up: not ``localhost``, and not an address written where a name belongs."""
    try:
        labels = parse_domain(host).split(".")
    except BadAddress:
        return False
    return labels[-1] != "localhost" and not labels[-1].isdecimal()
