"""The STARTTLS lookup for rules (`flow.ports.Lookups`): what is remembered, or a probe of the domain's hosts now.

A probe connects, says EHLO, does STARTTLS and QUIT; it never says MAIL, and its answer permits nothing: the delivering
connection is checked for itself. Left out on purpose: probing on after the answer is due; a later lookup asks again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, assert_never

from gateway.core.facts import Lookup, Missing, OutsideFact
from gateway.core.outcome import Declined
from gateway.core.tls import Channel, MxAuth, Requirement, Starttls
from gateway.flow.ports import Events
from gateway.net.answers import Unresolvable
from gateway.net.cache import SingleFlight
from gateway.net.destination import Destinations, Hosts, NoMail, Unusable, literal_text
from gateway.net.dial import Dialler
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms

MAX_PROBES: Final = 20
"""Connections that one worker opens for probes at the same time."""

_TERMS: Final = Terms(
    requirement=Requirement(MxAuth.NONE, Channel.ENCRYPTED), mx=MxAuth.NONE, demanded_by="a probe of STARTTLS"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StarttlsLookups:
    """Answers for recipient domains. An error of ours is reported to ``events`` and answered as missing."""

    destinations: Destinations
    dialler: Dialler
    port: int
    events: Events
    _flights: SingleFlight[str, Starttls] = field(default_factory=SingleFlight[str, Starttls])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PROBES))

    async def look_up(
        self, wanted: frozenset[tuple[Lookup, str]], wait: timedelta
    ) -> Mapping[tuple[Lookup, str], OutsideFact]:
        """One answer for each key; what was not known in time is `Missing`."""
        late = Missing(f"no answer within {wait.total_seconds():g} s")
        answers: dict[tuple[Lookup, str], OutsideFact] = dict.fromkeys(wanted, late)

        async def answer(key: tuple[Lookup, str]) -> None:
            answers[key] = await self._answer(*key)

        try:
            async with asyncio.timeout(wait.total_seconds()), asyncio.TaskGroup() as group:
                for key in wanted:
                    group.create_task(answer(key))
        except TimeoutError:
            pass  # what is missing already says so
        return answers

    async def _answer(self, lookup: Lookup, domain: str) -> OutsideFact:
        try:
            match lookup:
                case Lookup.STARTTLS:
                    return await self._domain(domain)
                case Lookup.KNOWN | Lookup.RESENT:
                    return Missing("nobody has looked")
        except Exception as error:  # The port promises an answer; the error must not take the others along.
            self.events.broken("lookup", "", error)
            return Missing("the lookup failed")
        assert_never(lookup)

    async def _domain(self, domain: str) -> OutsideFact:
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
        endpoint = Endpoint(realm="", host=host, port=self.port, name=literal_text(host))
        async with self._slots:
            for address in addresses:
                opened = await self.dialler.open(endpoint, address, _TERMS)
                if isinstance(opened, Session):
                    opened.end()
                    return Starttls.YES
                if isinstance(opened, Declined):
                    return Starttls.NO
        return Starttls.UNKNOWN
