"""The transport `mx`: to the mail hosts that the recipient domain names in DNS, host by host (RFC 5321 section 5.1).

A domain whose hosts are all unusable has answered for certain, so its mail is Failed (5.4.4) and not kept for days.
What each host has to be is `core.demand`'s to say; one that a domain's policy rules out, or of which too little is
known, is passed over, and the message waits if no other takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from gateway.core.demand import Demand, HostFacts, NotAuthentic, NotKnown, PassedOver, Wishes, need
from gateway.core.outcome import Cause, Declined, Deferred, Failed, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.tls import MxAuth
from gateway.core.tlsrpt import Result
from gateway.flow.ports import Delivery
from gateway.net.answers import Unresolvable
from gateway.net.destination import Hosts, MxOptions, NoMail, Unusable
from gateway.net.remote import local_facts
from gateway.net.smtp_session import Endpoint
from gateway.net.tls import certificate_for
from gateway.net.tried import Tell
from gateway.transports.base import RouteTransport
from gateway.transports.counting import count_for
from gateway.transports.courier import Courier, Outcomes, for_all, job_for, wishes_for
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
        options = self._network.options
        wishes = wishes_for(self._route, delivery, options.require_tls, options.pins.of(delivery.destination))
        if isinstance(wishes, Deferred):
            return for_all(delivery, wishes)
        verdicts: list[Verdict] = []
        unusable: list[Unusable] = []
        for host in hosts.names:
            result = await self._to_host(delivery, wishes, host, hosts.mx)
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

    async def _to_host(
        self, delivery: Delivery, wishes: Wishes, host: str, mx: MxAuth
    ) -> Outcomes | Verdict | Unusable:
        facts = await self._facts(delivery.destination, wishes, host, mx)
        wanted = need(wishes, facts)
        count = count_for(self._network.sessions, delivery, host)
        match wanted:
            case Demand():
                tell = None
                if count is not None:
                    wanted, tell = count.telling(wanted, facts)
                return await self._carry(delivery, wishes, wanted, host, tell)
            case NotAuthentic():
                return Declined(proof=Proof.NOT_AUTHENTIC, status=Status(5, 7, 5), detail=wanted.reason)
            case PassedOver():
                if count is not None:
                    count.failed(wanted.applied, Result.VALIDATION, wanted.reason)
                return _waits(wanted.reason)
            case NotKnown():
                if count is not None:
                    count.failed(wanted.applied, wanted.result, wanted.reason)
                return await self._not_known(host, wanted)
            case _:
                assert_never(wanted)

    async def _facts(self, domain: str, wishes: Wishes, host: str, mx: MxAuth) -> HostFacts:
        if wishes.sets_remote_aside:
            return local_facts(domain, host, mx)
        return await self._network.remote.facts(domain, host, mx)

    async def _carry(
        self, delivery: Delivery, wishes: Wishes, wanted: Demand, host: str, tell: Tell | None
    ) -> Outcomes | Verdict | Unusable:
        port = self._network.options.mx.port
        endpoint = Endpoint(realm=_REALM, host=host, port=port, own=certificate_for(wishes.pin))
        find = partial(self._network.destinations.addresses, host)
        return await self._courier.carry(job_for(self._network, delivery, wanted), endpoint, find, tell)

    async def _not_known(self, host: str, wanted: NotKnown) -> Verdict | Unusable:
        """A host without usable addresses is out in any case; what else is not known has to wait."""
        addresses = await self._network.destinations.addresses(host)
        match addresses:
            case Unusable():
                return addresses
            case Unresolvable():
                return Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail=f"{addresses.reason}.")
            case _:
                return _waits(wanted.reason)

    def next_hop(self, domain: str) -> str:
        """The recipient's domain."""
        return domain

    async def aclose(self) -> None:
        """Ends the idle sessions with MX hosts; another such route opens new ones when it needs them."""
        await self._network.pool.aclose(_REALM)


def _waits(reason: str) -> Deferred:
    return Deferred(cause=Cause.PROTECTION, status=Status(4, 7, 5), detail=reason)


def _not_asked(delivery: Delivery) -> Deferred:
    detail = f"{delivery.destination} has more mail hosts than one attempt asks."
    return Deferred(cause=Cause.UNREACHABLE, status=Status(4, 4, 1), detail=detail)
