"""The transport `mx`: to the mail hosts that the recipient domain names in DNS, host by host (RFC 5321 section 5.1).

A domain whose hosts are all unusable has answered for certain, so its mail is Failed (5.4.4) and not kept for days.
Left out on purpose: DANE and MTA-STS, which raise the terms of a host and come with their own code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gateway.core.outcome import Cause, Deferred, Failed, Outcome
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.flow.ports import Delivery
from gateway.net.answers import Unresolvable
from gateway.net.destination import Hosts, MxOptions, NoMail, Unusable, literal_text
from gateway.net.smtp_session import Endpoint
from gateway.net.transaction import Job
from gateway.transports.base import RouteTransport
from gateway.transports.courier import Courier, for_all, terms_for
from gateway.transports.network import Network
from gateway.transports.verdict import Verdict, combine

__all__ = ["Mx", "MxOptions"]

_REALM = ""


class Mx(RouteTransport):
    """One route that finds its hosts by DNS."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(RouteTransport.Options):
        """A route by MX has no settings of its own; ``[mx]`` holds those of all of them."""

    def __init__(self, route: Route, options: object, network: Network) -> None:
        self._route = route
        self._network = network
        self._courier = Courier(network)

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """Tries the hosts in order of preference until one answers MAIL; that one's replies are the outcomes."""
        destination = await self._network.destinations.hosts(delivery.destination)
        match destination:
            case Unresolvable():
                return for_all(
                    delivery,
                    Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail=f"{destination.reason}."),
                )
            case NoMail():
                return for_all(delivery, Failed(status=destination.status, detail=destination.reason))
            case Hosts():
                return await self._to_hosts(delivery, destination)

    async def _to_hosts(self, delivery: Delivery, hosts: Hosts) -> Mapping[int, Outcome]:
        terms = terms_for(self._route, delivery, hosts.mx)
        if isinstance(terms, Deferred):
            return for_all(delivery, terms)
        job = Job(delivery=delivery, targets=delivery.targets, terms=terms, bodies=self._network.bodies)
        verdicts: list[Verdict] = []
        unusable: list[Unusable] = []
        for host in hosts.names:
            endpoint = Endpoint(realm=_REALM, host=host, port=self._network.options.mx.port, name=literal_text(host))
            result = await self._courier.carry(job, endpoint, partial(self._network.destinations.addresses, host))
            match result:
                case dict():
                    return result
                case Unusable():
                    unusable.append(result)
                case _:
                    verdicts.append(result)
        if hosts.more:
            verdicts.append(_not_asked(delivery))
        if not verdicts:
            return for_all(delivery, Failed(status=Status(5, 4, 4), detail=" ".join(each.reason for each in unusable)))
        return for_all(delivery, combine(verdicts))

    def next_hop(self, domain: str) -> str:
        """The recipient's domain."""
        return domain

    async def aclose(self) -> None:
        """Ends the idle sessions with MX hosts; another such route opens new ones when it needs them."""
        await self._network.pool.aclose(_REALM)


def _not_asked(delivery: Delivery) -> Deferred:
    detail = f"{delivery.destination} has more mail hosts than one attempt asks."
    return Deferred(cause=Cause.UNREACHABLE, status=Status(4, 4, 1), detail=detail)
