"""The transport `smarthost`: to one host that the administrator names (RFC 5321 section 5 does not apply to it).

Its addresses are not vetted as those of MX hosts are, except for mail that stays inside: `protection = "internal"`
needs an address in the organisation's own networks, or a certificate for a pinned name. Left out on purpose: several
hosts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from gateway.core.address import BadAddress, parse_domain
from gateway.core.demand import Demand, HostFacts, Wishes, need
from gateway.core.outcome import Cause, Declined, Deferred, Outcome
from gateway.core.reply import Status
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Evidence, MxAuth, Requirement
from gateway.flow.ports import Delivery
from gateway.net.answers import IpAddress, Unresolvable
from gateway.net.destination import Unusable, Vetted
from gateway.net.hostport import split_port
from gateway.net.smtp_session import Endpoint, Login, Session
from gateway.net.terms import Terms
from gateway.net.tls import ClientCertificate
from gateway.transports.base import RouteTransport
from gateway.transports.courier import MAX_ADDRESSES, Courier, for_all, job_for, wishes_for
from gateway.transports.network import Network

SMTP_PORT: Final = 25


def parse_host(text: str) -> tuple[str, int]:
    """Splits ``name``, ``name:port``, ``address``, ``address:port`` or ``[v6]:port``. Raises ValueError."""
    host, port = split_port(text, SMTP_PORT)
    try:
        return str(ip_address(host)), port
    except ValueError:
        pass
    try:
        return parse_domain(host), port
    except BadAddress as error:
        raise ValueError(f"{text!r} is not a host: {error}") from None


class Smarthost(RouteTransport):
    """One route to one host."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(RouteTransport.Options):
        """``host`` is ``name-or-address:port``; ``match_name`` is the name its certificate has to be for, if another.

        ``client_certificate`` is ours, with its key or with ``private_key`` beside it. ``username`` and ``password``
        are for AUTH, and make TLS a must.

        Raises:
            ValueError: a host that is none, a key without its certificate, half a login.
        """

        host: str
        client_certificate: Path | None = None
        private_key: Path | None = None
        match_name: str | None = None
        username: str | None = None
        password: str | None = field(default=None, repr=False)

        def __post_init__(self) -> None:
            parse_host(self.host)
            if self.private_key is not None and self.client_certificate is None:
                raise ValueError("private_key needs client_certificate")
            if (self.username is None) != (self.password is None):
                raise ValueError("username and password need each other")

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, Smarthost.Options):
            raise TypeError("a smarthost is made from Smarthost.Options")
        self._route = route
        self._network = network
        self._courier = Courier(network)
        self._pinned = options.match_name is not None and route.demands >= Channel.PKIX
        self._endpoint = _endpoint(route, options)
        self._name = options.match_name or self._endpoint.host
        network.dialler.contexts.prepare(self._endpoint.own)

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """Hands the message to the host; whatever is wrong with its name or addresses is for us to repair."""
        wishes = wishes_for(self._route, delivery, self._network.options.require_tls)
        if isinstance(wishes, Deferred):
            return for_all(delivery, wishes)
        wanted = need(self._with_login(wishes), self._facts(delivery.destination))
        if not isinstance(wanted, Demand):
            return for_all(delivery, Deferred(cause=Cause.LOCAL, status=Status(4, 3, 5), detail=wanted.reason))
        job = job_for(self._network, delivery, wanted)
        result = await self._courier.carry(job, self._endpoint, self._addresses)
        if isinstance(result, dict):
            return result
        if isinstance(result, Unusable):
            result = Deferred(cause=Cause.LOCAL, status=Status(4, 3, 5), detail=result.reason)
        return for_all(delivery, result)

    async def look(self) -> Evidence | Deferred | Declined:
        """Opens a session as the route demands it, ends it without MAIL, and says what it was or why there is none."""
        wishes = Wishes(own=self._route.requirement, said_by=f"route {self._route.name}")
        wanted, addresses = need(self._with_login(wishes), self._facts(self._name)), await self._addresses()
        if not isinstance(wanted, Demand):
            return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 5), detail=wanted.reason)
        if isinstance(addresses, Unresolvable | Unusable):
            return Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail=addresses.reason)
        return await self._look_at(addresses, Terms(demand=wanted))

    async def _look_at(self, addresses: tuple[IpAddress, ...], terms: Terms) -> Evidence | Deferred | Declined:
        """The first address that can be used speaks for the host, else the last one."""
        opened = await self._network.dialler.open(self._endpoint, addresses[0], terms)
        for address in addresses[1:MAX_ADDRESSES]:
            if isinstance(opened, Session):
                break
            opened = await self._network.dialler.open(self._endpoint, address, terms)
        if not isinstance(opened, Session):
            return opened
        evidence = opened.evidence(terms)
        await opened.leave()
        return evidence

    def _facts(self, domain: str) -> HostFacts:
        """The administrator vouches for the host, and nobody is asked."""
        return HostFacts(domain=domain, host=self._name, mx=MxAuth.LOCAL)

    def _with_login(self, wishes: Wishes) -> Wishes:
        """A password is only said inside TLS, so a host that wants one has to offer it."""
        if self._endpoint.login is None:
            return wishes
        return replace(wishes, own=wishes.own | Requirement(MxAuth.NONE, Channel.ENCRYPTED))

    async def _addresses(self) -> Vetted:
        host = self._endpoint.host
        found = await self._resolve(host)
        if isinstance(found, Unresolvable):
            return found
        if not found:
            return Unusable(f"The host {host} of the route {self._route.name} has no address.")
        usable = tuple(address for address in found if self._may_be_used(address))
        return usable or Unusable(
            f"The host {host} of the route {self._route.name} lies outside the organisation's own networks."
        )

    async def _resolve(self, host: str) -> list[IpAddress] | Unresolvable:
        try:
            return [ip_address(host)]
        except ValueError:
            answer = await self._network.resolver.addresses(host)
        return answer if isinstance(answer, Unresolvable) else answer.in_order()

    def _may_be_used(self, address: IpAddress) -> bool:
        if self._route.declared is not Declared.INTERNAL or self._pinned:
            return True
        return any(address in network for network in self._network.options.internal)

    def next_hop(self, domain: str) -> str:
        """The host, whatever the recipient's domain."""
        return f"{self._endpoint.host}:{self._endpoint.port}"

    async def aclose(self) -> None:
        """Ends the idle sessions of this route."""
        await self._network.pool.aclose(self._endpoint.realm)


def _endpoint(route: Route, options: Smarthost.Options) -> Endpoint:
    host, port = parse_host(options.host)
    own, login = None, None
    if options.client_certificate is not None:
        own = ClientCertificate(certificate=options.client_certificate, private_key=options.private_key)
    if options.username is not None and options.password is not None:
        login = Login(options.username, options.password)
    return Endpoint(realm=route.name, host=host, port=port, own=own, login=login)
