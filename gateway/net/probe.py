"""The STARTTLS lookup for rules (see `flow.lookups`): what is remembered, or a probe of the domain's hosts now.

A probe connects, says EHLO, does STARTTLS and QUIT; it never says MAIL, and its answer permits nothing: the delivering
connection is checked for itself. Left out on purpose: probing on after the answer is due; a later lookup asks again.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from gateway.core.facts import Missing
from gateway.core.outcome import Declined
from gateway.core.tls import Starttls
from gateway.net.answers import Unresolvable
from gateway.net.cache import SingleFlight
from gateway.net.destination import Destinations, Hosts, NoMail, Unusable, literal_text
from gateway.net.dial import Dialler
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import looking

MAX_PROBES: Final = 20
"""Connections that one worker opens for probes at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarttlsProbe:
    """Answers for recipient domains, as long as it takes: who asks sets the time."""

    destinations: Destinations
    dialler: Dialler
    port: int
    _flights: SingleFlight[str, Starttls] = field(default_factory=SingleFlight[str, Starttls])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PROBES))

    async def look_up(self, domain: str) -> Starttls | Missing:
        """YES if mail can go there protected, NO if every usable host has no TLS, else nothing certain.

        A domain that takes no mail at all has no TLS either: what a rule then chooses is at least as safe, and the
        delivery finds out why.
        """
        hosts = await self.destinations.hosts(domain)
        match hosts:
            case Unresolvable():
                return Missing(hosts.reason)
            case NoMail():
                return Starttls.NO
            case Hosts():
                return await self._hosts(hosts)

    async def _hosts(self, hosts: Hosts) -> Starttls:
        """Host by host in the order of delivery; the first YES ends it, as it ends a delivery."""
        seen: set[Starttls] = {Starttls.UNKNOWN} if hosts.more else set()
        for host in hosts.names:
            known = self.dialler.memory.last(host)
            if known is None:
                known = await self._flights.run(host, lambda host=host: self._probe(host))
            if known is Starttls.YES:
                return known
            seen.add(known)
        return Starttls.UNKNOWN if Starttls.UNKNOWN in seen else Starttls.NO

    async def _probe(self, host: str) -> Starttls:
        addresses = await self.destinations.addresses(host)
        if isinstance(addresses, Unusable):
            return Starttls.NO
        if isinstance(addresses, Unresolvable):
            return Starttls.UNKNOWN
        terms = looking(literal_text(host), "a probe of STARTTLS")
        endpoint = Endpoint(realm="", host=host, port=self.port)
        async with self._slots:
            for address in addresses:
                opened = await self.dialler.open(endpoint, address, terms)
                if isinstance(opened, Session):
                    opened.end()
                    return Starttls.YES
                if isinstance(opened, Declined):
                    return Starttls.NO
        return Starttls.UNKNOWN
