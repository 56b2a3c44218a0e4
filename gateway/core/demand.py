"""Demand: what one MX host has to be before a message for one domain is handed to it (RFC 7672, RFC 8461, RFC 8689).

A pure function of the decision's floor and route, the pin, REQUIRETLS, and what DNS and the domain's policy say. What
is remote only ever adds to what is ours. DANE says how a certificate is checked, whatever MTA-STS says of it (RFC 8461
section 2); but the records of a host whose name came from unsigned DNS say nothing of the domain, so a policy in force
then has to name the host as well. A message's ``TLS-Required: no`` sets aside what is remote, and nothing else (RFC
8689 section 5).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, assert_never

from gateway.core.check import Check
from gateway.core.dane import NoTlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.pin import Pin
from gateway.core.sts import NoSts, StsFacts, StsFound, StsMode, StsUnknown
from gateway.core.tls import NOTHING, Channel, MxAuth, Requirement
from gateway.core.tlsrpt import Applied, PolicyType, Result

_ENCRYPTED = Requirement(MxAuth.NONE, Channel.ENCRYPTED)
_DANE = Requirement(MxAuth.NONE, Channel.DANE)
_STS = Requirement(MxAuth.MTA_STS, Channel.PKIX)


class RequireTls(StrEnum):
    """What REQUIRETLS on a message asks of the next hop (Postfix has the same levels)."""

    ENFORCE = "enforce"
    STARTTLS = "opportunistic+starttls"
    OPPORTUNISTIC = "opportunistic"

    @property
    def requirement(self) -> Requirement:
        """The part of it that a connection can be; ENFORCE also wants the next hop to offer REQUIRETLS."""
        match self:
            case RequireTls.ENFORCE:
                return _STS
            case RequireTls.STARTTLS:
                return _ENCRYPTED
            case RequireTls.OPPORTUNISTIC:
                return NOTHING
            case _:  # pragma: no cover - the type checker proves that there is no other.
                assert_never(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is ours: ``own`` is what route and floor demand, ``said_by`` their names for the evidence.

    ``require_tls`` is None for a message without REQUIRETLS. ``tls_optional`` is its ``TLS-Required: no``.
    """

    own: Requirement
    said_by: str
    pin: Pin | None = None
    require_tls: RequireTls | None = None
    tls_optional: bool = False

    @property
    def all_own(self) -> Requirement:
        """What nothing remote can lower: route, floor, pin, REQUIRETLS."""
        asked = self.require_tls.requirement if self.require_tls is not None else NOTHING
        return self.own | asked | (self.pin.requirement if self.pin is not None else NOTHING)

    @property
    def sets_remote_aside(self) -> bool:
        """Whether it does not matter what DNS and policies say: ``TLS-Required: no``, and nothing of ours needs them.

        Who demands that a host's name is vouched for, or DANE, needs what is remote to have it.
        """
        own = self.all_own
        remote_is_needed = own.mx > MxAuth.NONE or own.channel >= Channel.DANE
        return self.tls_optional and self.require_tls is None and not remote_is_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """One MX host, for one recipient domain: ``mx`` is how DNS or the administrator vouch for its name."""

    domain: str
    host: str
    mx: MxAuth
    tlsa: TlsaFacts = NoTlsa.OFF
    sts: StsFacts = NoSts.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a session with the host has to be. ``mx`` is how its name is known, which joins what the session is.

    ``own`` is the part of ``requirement`` that is not remote: what fails that is proven, what fails the rest waits.
    ``offers_require_tls``: it must offer REQUIRETLS inside TLS. ``rehearsal`` is the check of a policy in testing mode:
    its failure is counted and stops nothing. ``applied`` is what TLSRPT calls the policy.
    """

    requirement: Requirement
    own: Requirement
    mx: MxAuth
    check: Check
    demanded_by: str
    applied: Applied
    offers_require_tls: bool = False
    rehearsal: Check | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """The domain's policy in force does not name this host, so no mail goes there (RFC 8461 section 4)."""

    reason: str
    applied: Applied


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKnown:
    """What would have to be known about the host could not be found out, so it has to wait; ``result`` as in TLSRPT."""

    reason: str
    applied: Applied
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAuthentic:
    """It is certain that nothing vouches for the host's name, and that is demanded."""

    reason: str


Need: TypeAlias = Demand | PassedOver | NotKnown | NotAuthentic


def need(wishes: Wishes, facts: HostFacts) -> Need:
    """What the host has to be."""
    if wishes.sets_remote_aside:
        return _our_demand(wishes, facts, NOTHING)
    match facts.tlsa:
        case TlsaUnknown():
            reason = f"The TLSA records of {facts.host} could not be looked up: {facts.tlsa.reason}."
            return NotKnown(reason=reason, applied=_applied(facts), result=Result.DNSSEC_INVALID)
        case TlsaFound():
            return _by_dane(wishes, facts, facts.tlsa)
        case TlsaUnusable() | NoTlsa():
            return _by_sts(wishes, facts)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(facts.tlsa)


def _by_dane(wishes: Wishes, facts: HostFacts, found: TlsaFound) -> Need:
    enforced = _enforced(facts)
    if enforced is not None and facts.mx < MxAuth.DNSSEC and not enforced.policy.matches(facts.host):
        return _passed_over(facts, enforced)
    own = wishes.all_own
    also = (facts.domain,) if facts.mx is MxAuth.DNSSEC else ()
    pin = _own_check(wishes, facts, NOTHING)
    check = Check(
        sni=found.base,
        names=pin.names,
        authorities=pin.authorities,
        pins=pin.pins,
        tlsa=found.records,
        tlsa_names=tuple(dict.fromkeys((found.base, *also))),
    )
    # DANE decides how the certificate is checked; who vouches for the host's name may still be the domain's policy.
    vouched = enforced is not None and enforced.policy.matches(facts.host)
    mx = MxAuth.MTA_STS if vouched else MxAuth.NONE
    return _checked(wishes, facts, own | _DANE, check, f"DANE, TLSA records of {found.base}", mx)


def _enforced(facts: HostFacts) -> StsFound | None:
    """The domain's policy, if it is in force."""
    found = facts.sts
    return found if isinstance(found, StsFound) and found.policy.mode is StsMode.ENFORCE else None


def _passed_over(facts: HostFacts, sts: StsFound) -> PassedOver:
    """It is that policy which fails, also where the host has TLSA records."""
    reason = f"The MTA-STS policy of {sts.domain} does not name the host {facts.host}."
    return PassedOver(reason=reason, applied=_applied_policy(sts))


def _by_sts(wishes: Wishes, facts: HostFacts) -> Need:
    floor = _ENCRYPTED if isinstance(facts.tlsa, TlsaUnusable) else NOTHING
    by = f"unusable TLSA records of {facts.tlsa.base}" if isinstance(facts.tlsa, TlsaUnusable) else ""
    enforced = _enforced(facts)
    if enforced is not None:
        return _by_enforced(wishes, facts, enforced)
    match facts.sts:
        case StsFound(policy=policy) if policy.mode is StsMode.TESTING:
            return _our_demand(wishes, facts, floor, by, rehearsal=Check(sni=facts.host, names=(facts.host,)))
        case StsFound() | StsUnknown() | NoSts():
            return _our_demand(wishes, facts, floor, by)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(facts.sts)


def _by_enforced(wishes: Wishes, facts: HostFacts, sts: StsFound) -> Need:
    if not sts.policy.matches(facts.host):
        return _passed_over(facts, sts)
    requirement = wishes.all_own | _STS
    check = _own_check(wishes, facts, requirement)
    if not check.names:
        # A pinned key is enough for us, and not for the domain's own policy.
        check = replace(check, names=(facts.host,))
    return _checked(wishes, facts, requirement, check, f"MTA-STS policy {sts.id} of {sts.domain}", MxAuth.MTA_STS)


def _our_demand(
    wishes: Wishes, facts: HostFacts, remote: Requirement, by: str = "", rehearsal: Check | None = None
) -> Need:
    requirement = wishes.all_own | Requirement(MxAuth.NONE, remote.channel)
    return _checked(wishes, facts, requirement, _own_check(wishes, facts, requirement), by, rehearsal=rehearsal)


def _checked(
    wishes: Wishes,
    facts: HostFacts,
    requirement: Requirement,
    check: Check,
    by: str,
    mx: MxAuth = MxAuth.NONE,
    rehearsal: Check | None = None,
) -> Need:
    """The demand, if the host's name is known as well as it has to be."""
    known = max(facts.mx, mx, MxAuth.LOCAL if wishes.pin is not None and wishes.pin.names_are_ours else MxAuth.NONE)
    if known < requirement.mx:
        return _not_vouched(wishes, facts)
    if check.gives < requirement.channel:
        return NotAuthentic(reason=f"{facts.host} has no TLSA records, and {_said_by(wishes)} wants them.")
    return Demand(
        requirement=requirement,
        own=wishes.all_own,
        mx=known,
        check=check,
        demanded_by="; ".join(filter(None, (_said_by(wishes), by))),
        applied=_applied(facts),
        offers_require_tls=wishes.require_tls is RequireTls.ENFORCE,
        # What is checked anyway needs no rehearsal.
        rehearsal=rehearsal if check.gives < Channel.PKIX else None,
    )


def _not_vouched(wishes: Wishes, facts: HostFacts) -> Need:
    if isinstance(facts.sts, StsUnknown):
        reason = f"Whether anything vouches for the host {facts.host} is not known: {facts.sts.reason}."
        return NotKnown(reason=reason, applied=_applied(facts), result=Result.STS_FETCH)
    return NotAuthentic(
        reason=f"Nothing vouches for the name of {facts.host}, a mail host of {facts.domain}: the domain has"
        f" neither DNSSEC nor an MTA-STS policy, and {_said_by(wishes)} wants one of them."
    )


def _own_check(wishes: Wishes, facts: HostFacts, requirement: Requirement) -> Check:
    """The check of a host that has no usable TLSA record."""
    pin = wishes.pin
    names = pin.names if pin is not None else ()
    if not names and (requirement.channel >= Channel.PKIX or (pin is not None and pin.authorities)):
        names = (facts.host,)
    if pin is None:
        return Check(sni=facts.host, names=names)
    if pin.fingerprints and not pin.names and not pin.authorities:
        # A pinned key says who it is; partners that pin theirs often sign it themselves.
        names = ()
    return Check(sni=facts.host, names=names, authorities=pin.authorities, pins=pin.fingerprints)


def _said_by(wishes: Wishes) -> str:
    pin = f"pin {wishes.pin.name}" if wishes.pin is not None else ""
    asked = f"REQUIRETLS ({wishes.require_tls})" if wishes.require_tls is not None else ""
    return "; ".join(filter(None, (wishes.said_by, pin, asked)))


def _applied(facts: HostFacts) -> Applied:
    """The policy that TLSRPT counts a session under (RFC 8460 section 4.4)."""
    match facts.tlsa:
        case TlsaFound():
            records = tuple(str(record) for record in facts.tlsa.records)
            return Applied(PolicyType.TLSA, facts.tlsa.base, records)
        case TlsaUnusable() | TlsaUnknown():
            return Applied(PolicyType.TLSA, facts.host)
        case NoTlsa():
            pass
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(facts.tlsa)
    if isinstance(facts.sts, StsFound):
        return _applied_policy(facts.sts)
    return Applied(PolicyType.NONE, facts.domain)


def _applied_policy(sts: StsFound) -> Applied:
    return Applied(PolicyType.STS, sts.domain, sts.policy.lines, sts.policy.mx)
