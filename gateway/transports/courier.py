"""Takes a delivery to one host: by a kept session, or by a new one to the first of its addresses that answers.

Both transports share it; which host, and on which terms, is theirs to say. Left out on purpose: trying two addresses at
the same time (RFC 8305), because a second connection costs the peer more than it saves us.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from gateway.core.demand import Demand, RequireTls, Wishes
from gateway.core.envelope import BodyType
from gateway.core.outcome import Cause, Declined, Deferred, Failed, Outcome, Proof
from gateway.core.pin import Pin
from gateway.core.reply import Status
from gateway.core.route import Route, demand
from gateway.flow.ports import Delivery
from gateway.net.answers import IpAddress, Unresolvable
from gateway.net.destination import Unusable, Vetted
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms
from gateway.net.transaction import Gone, Job, needs_smtputf8, takes_require_tls, transact
from gateway.net.tried import Tell
from gateway.transports.network import Network
from gateway.transports.verdict import Verdict
from gateway.wire.smtp_client import Capabilities

MAX_ADDRESSES: Final = 4
"""Addresses of one host that an attempt tries; their order changes with each."""

MAX_RECIPIENTS: Final = 100
"""Recipients of one transaction, which every server takes (RFC 5321 section 4.5.3.1.8)."""

Outcomes: TypeAlias = dict[int, Outcome]


@dataclass(frozen=True, slots=True)
class Courier:
    """Carries deliveries over the network that it is given."""

    network: Network

    async def carry(
        self, job: Job, endpoint: Endpoint, find: Callable[[], Awaitable[Vetted]], tell: Tell | None = None
    ) -> Outcomes | Verdict | Unusable:
        """The recipients' outcomes if the host answered MAIL, else why the host did not take the message.

        ``find`` gives the addresses, and is asked only when no kept session will do. ``tell`` hears of new ones.
        """
        while (session := self.network.pool.take(endpoint, job.terms)) is not None:
            result = await self._use(session, job)
            if not isinstance(result, Gone):
                return result
        addresses = await find()
        match addresses:
            case Unusable():
                return addresses
            case Unresolvable():
                return Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail=f"{addresses.reason}.")
            case _:
                return await self._try_addresses(job, endpoint, addresses[:MAX_ADDRESSES], tell)

    async def _try_addresses(
        self, job: Job, endpoint: Endpoint, addresses: tuple[IpAddress, ...], tell: Tell | None
    ) -> Outcomes | Verdict:
        """The first address that answers MAIL or declines speaks for the host, else the last one that failed."""
        verdict: Verdict = Deferred(cause=Cause.DNS, status=Status(4, 4, 3), detail=f"{endpoint.host} has no address.")
        for address in addresses:
            opened = await self.network.dialler.open(endpoint, address, job.terms, tell)
            if isinstance(opened, Declined):
                return self._as_asked(opened, job)
            if isinstance(opened, Deferred):
                verdict = opened
                continue
            result = await self._use(opened, job)
            if not isinstance(result, Gone):
                return result
            verdict = _gone(result, opened, job.terms)
        return verdict

    def _as_asked(self, declined: Declined, job: Job) -> Declined:
        """No STARTTLS has a status of its own where REQUIRETLS asked for it, the one that Postfix gives too."""
        asked = job.delivery.require_tls and self.network.options.require_tls is not RequireTls.OPPORTUNISTIC
        if asked and declined.proof is Proof.NO_STARTTLS:
            return replace(declined, status=Status(5, 7, 10))
        return declined

    async def _use(self, session: Session, job: Job) -> Outcomes | Declined | Failed | Gone:
        """One transaction, or several where the recipients are too many for one; the session goes back to the pool."""
        try:
            if job.terms.demand.offers_require_tls and not takes_require_tls(session):
                return _without_require_tls(session, job.terms)
            lacking = _lacks(session.capabilities, job.delivery)
            if lacking is not None:
                status, what = lacking
                evidence = session.evidence(job.terms)
                return Failed(status=status, detail=f"{session} {what}.", evidence=evidence)
            return await self._transact(session, job)
        finally:
            self.network.pool.give_back(session)

    async def _transact(self, session: Session, job: Job) -> Outcomes | Gone:
        outcomes: Outcomes = {}
        size = min(MAX_RECIPIENTS, session.capabilities.max_recipients or MAX_RECIPIENTS)
        for start in range(0, len(job.targets), size):
            some = job.targets[start : start + size]
            result = await transact(session, job if len(some) == len(job.targets) else replace(job, targets=some))
            if isinstance(result, Gone):
                if start == 0:
                    return result
                break
            outcomes |= result
            if not session.clean:
                break
        if len(outcomes) < len(job.targets):
            ended = _gone(Gone(f"{session} ended the session before the recipient's turn."), session, job.terms)
            outcomes = dict.fromkeys((target.number for target in job.targets), ended) | outcomes
        return outcomes


def wishes_for(route: Route, delivery: Delivery, level: RequireTls, pin: Pin | None = None) -> Wishes | Deferred:
    """What is ours to demand for this delivery; Deferred(LOCAL) where the route can never give it."""
    own = demand(route, delivery.floor)
    if own is None:
        detail = f"The route {route.name} cannot give the protection {delivery.floor.label}."
        return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 5), detail=detail)
    return Wishes(
        own=own,
        said_by=f"route {route.name}, floor {delivery.floor.label}",
        pin=pin,
        require_tls=level if delivery.require_tls else None,
        tls_optional=delivery.tls_optional,
    )


def job_for(network: Network, delivery: Delivery, wanted: Demand) -> Job:
    """The delivery on terms for one host."""
    waited = [target.handshake_failed_for for target in delivery.targets]
    shortest = min((each for each in waited if each is not None), default=None)
    terms = Terms(demand=wanted, handshake_failed_for=None if None in waited else shortest)
    return Job(delivery=delivery, targets=delivery.targets, terms=terms, bodies=network.bodies)


def for_all(delivery: Delivery, outcome: Outcome) -> Outcomes:
    """The same outcome for every recipient."""
    return {target.number: outcome for target in delivery.targets}


def _lacks(peer: Capabilities, delivery: Delivery) -> tuple[Status, str] | None:
    """The extension that the message needs and the peer does not have; nothing is ever converted."""
    if delivery.body_type is BodyType.EIGHT_BIT and not peer.eight_bit_mime:
        return Status(5, 6, 3), "does not take eight-bit text (8BITMIME), which this message holds"
    if not peer.smtputf8 and needs_smtputf8(delivery):
        return Status(5, 6, 7), "does not take internationalised addresses (SMTPUTF8), which this message has"
    if peer.size_limit is not None and delivery.size > peer.size_limit:
        return Status(5, 3, 4), f"takes at most {peer.size_limit} bytes, and this message has {delivery.size}"
    return None


def _without_require_tls(session: Session, terms: Terms) -> Declined:
    return Declined(
        proof=Proof.NO_REQUIRETLS,
        status=Status(5, 7, 30),
        detail=f"{session} does not offer REQUIRETLS, which this message demands.",
        evidence=session.evidence(terms),
    )


def _gone(gone: Gone, session: Session, terms: Terms) -> Deferred:
    return Deferred(
        cause=Cause.UNREACHABLE if gone.reply is None else Cause.REPLY_4XX,
        status=Status(4, 4, 2),
        detail=gone.detail,
        remote=None if gone.reply is None else session.remote(gone.reply),
        evidence=session.evidence(terms),
    )
