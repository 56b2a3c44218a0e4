"""The survey of a domain: each of its mail hosts, met as a delivering connection meets it, up to where MAIL stands.

A certificate is always looked at, checked or not. Left out on purpose: what is wrong and what to do about it, which
`core.survey_findings` says.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from gateway.core.demand import Demand, HostFacts, Need, Wishes, need
from gateway.core.grade import Grade, grade_of
from gateway.core.outcome import Cause, Declined, Deferred, Proof
from gateway.core.pin import Pin, Pins
from gateway.core.sts import StsFacts, StsFound
from gateway.core.survey import DomainReport, HostReport
from gateway.core.tls import NOTHING, Channel, MxAuth, Obtained, Requirement, Starttls
from gateway.flow.ports import Clock
from gateway.net.answers import IpAddress, MxRecords, Unresolvable
from gateway.net.destination import Destinations, Hosts, NoMail, Unusable, literal_text
from gateway.net.dial import Dialler, Opened
from gateway.net.dns import Resolver
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.survey_seen import dane_seen, sts_seen, with_evidence
from gateway.net.terms import Terms, looking
from gateway.net.tls import certificate_for

MAX_PROBES: Final = 8
"""Hosts that are met at the same time."""
MAX_ADDRESSES: Final = 4
"""Addresses of one host that are tried until one answers."""
WITHIN: Final = timedelta(seconds=45)
"""For one host, whatever it does."""
LONGEST_TEXT: Final = 300
"""Characters of a reason: hosts that answer with a book are not read aloud."""

Facts: TypeAlias = Callable[[str, str, MxAuth], Awaitable[HostFacts]]
"""What is known of a host for a domain, as deliveries know it."""

_CHECKED: Final = Requirement(MxAuth.NONE, Channel.PKIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One host, for mail to one domain."""

    facts: HostFacts
    addresses: tuple[IpAddress, ...]
    pin: Pin | None

    def need(self, own: Requirement) -> Need:
        """What the host has to be for a message that asks for that much."""
        return need(Wishes(own=own, said_by="", pin=self.pin), self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Looks at domains given as A-labels. ``port`` is that of all mail hosts."""

    resolver: Resolver
    destinations: Destinations
    facts: Facts
    sts: Callable[[str], Awaitable[StsFacts]]
    dialler: Dialler
    pins: Pins
    port: int
    clock: Clock
    within: timedelta = WITHIN
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PROBES))

    async def domain(self, name: str) -> DomainReport:
        """What is found; never raises for the domain's fault, and ends in time."""
        found = await self._domain(name)
        sts = replace(found.sts, reason=_short(found.sts.reason))
        return replace(found, sts=sts, hosts=tuple(map(_told, found.hosts)), trouble=_short(found.trouble))

    async def _domain(self, name: str) -> DomainReport:
        sts, pin = await self.sts(name), self.pins.of(name)
        report = DomainReport(domain=name, at=self.clock.now(), sts=sts_seen(sts), pin=pin.name if pin else "")
        destination = await self.destinations.hosts(name)
        match destination:
            case Unresolvable():
                return replace(report, trouble=f"The mail hosts cannot be looked up: {destination.reason}.")
            case NoMail():
                return replace(report, trouble=destination.reason)
            case Hosts():
                hosts = await self._hosts(name, destination, sts)
                more = f"{name} has more mail hosts than were looked at." if destination.more else ""
                return replace(report, hosts=hosts, trouble=more)
            case _:
                assert_never(destination)

    async def _hosts(self, name: str, hosts: Hosts, sts: StsFacts) -> tuple[HostReport, ...]:
        records = await self.resolver.mx(name)
        order = {each.host: each.preference for each in records.records} if isinstance(records, MxRecords) else {}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._host(name, host, hosts.mx, sts)) for host in hosts.names]
        found = (task.result() for task in tasks)
        return tuple(replace(each, preference=order.get(each.host, 0)) for each in found)

    async def _host(self, name: str, host: str, mx: MxAuth, sts: StsFacts) -> HostReport:
        policy = sts.policy if isinstance(sts, StsFound) else None
        report = HostReport(
            host=host,
            preference=0,
            signed=mx is MxAuth.DNSSEC,
            in_policy=None if policy is None else policy.matches(host),
        )
        try:
            async with self._slots, asyncio.timeout(self.within.total_seconds()):
                return await self._meet(name, report, mx)
        except TimeoutError:
            return replace(report, why=f"It did not answer within {self.within.total_seconds():g} s.")

    async def _meet(self, name: str, report: HostReport, mx: MxAuth) -> HostReport:
        facts = await self.facts(name, report.host, mx)
        report = replace(report, dane=dane_seen(facts.tlsa))
        addresses = await self.destinations.addresses(report.host)
        match addresses:
            case Unusable():
                return replace(report, why=addresses.reason)
            case Unresolvable():
                return replace(report, why=f"Its addresses cannot be looked up: {addresses.reason}.")
            case _:
                report = replace(report, addresses=tuple(str(address) for address in addresses))
                return await self._look(_Visit(facts=facts, addresses=addresses, pin=self.pins.of(name)), report)

    async def _look(self, visit: _Visit, report: HostReport) -> HostReport:
        """Asks for a checked certificate; the host's policy and pin may demand more, and that is demanded here too."""
        wanted = visit.need(_CHECKED)
        if not isinstance(wanted, Demand):
            terms = looking(literal_text(report.host), "")
            return replace(await _shown(await self._open(visit, terms), terms, report), why=wanted.reason)
        terms = Terms(demand=wanted)
        opened = await self._open(visit, terms)
        report = replace(await _shown(opened, terms, report), demanded_by=wanted.demanded_by)
        if isinstance(opened, Session):
            return replace(report, grade=grade_of(Obtained(wanted.mx, opened.channel)))
        return replace(report, grade=_of_other_mail(visit, report), why=opened.detail)

    async def _open(self, visit: _Visit, terms: Terms) -> Opened:
        """What came of the first address that answers; of the last one if none does."""
        endpoint = Endpoint(realm="", host=visit.facts.host, port=self.port, own=certificate_for(visit.pin))
        first, *others = visit.addresses[:MAX_ADDRESSES]
        opened = await self.dialler.open(endpoint, first, terms)
        for other in others:
            if not _is_silent(opened):
                break
            opened = await self.dialler.open(endpoint, other, terms)
        return opened


def _told(host: HostReport) -> HostReport:
    return replace(host, why=_short(host.why), dane=replace(host.dane, reason=_short(host.dane.reason)))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _is_silent(opened: Opened) -> bool:
    """Whether there was no conversation that says anything of the host's TLS."""
    return isinstance(opened, Deferred) and opened.cause is Cause.UNREACHABLE


def _of_other_mail(visit: _Visit, report: HostReport) -> Grade | None:
    """What mail gets that asks for nothing, from a host that failed the check."""
    ordinary = visit.need(NOTHING)
    if not isinstance(ordinary, Demand) or ordinary.requirement.channel > Channel.ENCRYPTED:
        return None
    if report.starttls is Starttls.YES:
        return Grade.ENCRYPTED
    plain = report.starttls is Starttls.NO and ordinary.requirement.channel is Channel.PLAIN
    return Grade.PLAIN if plain else None


async def _shown(opened: Opened, terms: Terms, report: HostReport) -> HostReport:
    """What the host showed of itself, whether or not that was enough; a session ends here."""
    if isinstance(opened, Session):
        evidence = opened.evidence(terms)
        await opened.leave()
        return with_evidence(evidence, report)
    if _is_silent(opened) or opened.evidence is None:
        return report
    report = with_evidence(opened.evidence, report)
    proven = isinstance(opened, Declined) and opened.proof in (Proof.NO_STARTTLS, Proof.TLS_VERSION)
    return replace(report, starttls=Starttls.NO) if proven else report
