"""What Postfix has to demand of a next hop, from the same lookups and demands as our own deliveries (`transports.mx`).

A host that an administrator names in brackets is asked for neither DANE nor MTA-STS, like a smart host of ours. Left
out on purpose: whether the hosts have addresses, because Postfix looks for itself.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from gateway.core.demand import Need, NotKnown, Wishes, need
from gateway.core.next_hop import NextHop
from gateway.core.pin import Pins
from gateway.core.postfix_tls import PostfixTls, Wait, postfix_tls
from gateway.core.tls import MxAuth, Requirement
from gateway.core.tlsrpt import Applied, PolicyType, Result
from gateway.net.answers import Unresolvable
from gateway.net.dane import Dane
from gateway.net.destination import Destinations, Hosts, NoMail
from gateway.net.dns import Resolver
from gateway.net.mta_sts import Sts
from gateway.net.remote import Remote, local_facts

_FLOOR = "floor of the domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHops:
    """``floor`` is what all mail to a next hop is owed; None if none may go there. ``port`` is that of mail hosts."""

    resolver: Resolver
    destinations: Destinations
    sts: Sts
    pins: Pins
    port: int
    floor: Callable[[NextHop], Requirement | None]

    async def entry(self, hop: NextHop) -> PostfixTls:
        """What the table says of the next hop; never raises."""
        own = self.floor(hop)
        if own is None:
            return Wait(f"No message may go to {hop.name} as it is: the policy wants it sealed, or refused.")
        wishes = Wishes(own=own, said_by=_FLOOR, pin=self.pins.of(hop.name))
        if hop.exact:
            return postfix_tls([need(wishes, local_facts(hop.name, hop.name, MxAuth.LOCAL))], signed=False)
        destination = await self.destinations.hosts(hop.name)
        match destination:
            case Unresolvable():
                return Wait(f"{destination.reason}.")
            case NoMail():
                return Wait(destination.reason)
            case Hosts():
                needs = await self._needs(hop, destination, wishes)
                return postfix_tls(needs, signed=destination.mx >= MxAuth.DNSSEC)
            case _:
                assert_never(destination)

    async def _needs(self, hop: NextHop, hosts: Hosts, wishes: Wishes) -> list[Need]:
        remote = Remote(Dane(self.resolver, hop.port or self.port), self.sts)
        facts = await asyncio.gather(*(remote.facts(hop.name, host, hosts.mx) for host in hosts.names))
        needs = [need(wishes, each) for each in facts]
        return [*needs, _not_asked(hop.name)] if hosts.more else needs


def _not_asked(domain: str) -> NotKnown:
    return NotKnown(
        reason=f"{domain} has more mail hosts than were looked at.",
        applied=Applied(PolicyType.NONE, domain),
        result=Result.VALIDATION,
    )
