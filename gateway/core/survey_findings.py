"""What is wrong with a surveyed domain, and what changed since it was last surveyed, in sentences for people."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from gateway.core.grade import Grade
from gateway.core.survey import DaneState, DomainReport, HostReport, StsState, rank
from gateway.core.tls import Starttls

SOON: Final = timedelta(days=14)
"""Before a certificate ends, somebody is told."""

_DANE_EE: Final = "3"
_STS_STRENGTH: Final = {StsState.ABSENT: 0, StsState.STOPPED: 0, StsState.TESTING: 1, StsState.ENFORCE: 2}


def problems(report: DomainReport, demanded: Grade) -> tuple[str, ...]:
    """What is wrong, each with what to do about it; empty where every host gives at least what is demanded."""
    found = [] if report.hosts else [f"No mail goes to {report.domain} now: {report.trouble}"]
    for host in report.hosts:
        # Of one that falls short it is said why, which is mostly the same.
        dates = rank(demanded) >= rank(Grade.VERIFIED) or report.pin
        found += list(_falls_short(host, report, demanded)) or (_ending(host, report) if dates else ())
    return tuple(found)


def alarms(report: DomainReport, demanded: Grade) -> tuple[str, ...]:
    """The problems that a person is told of at night: not that a host was down while others take the mail."""
    up = replace(report, hosts=tuple(host for host in report.hosts if host.reached))
    return problems(up if up.hosts else report, demanded)


def _falls_short(host: HostReport, report: DomainReport, demanded: Grade) -> Iterator[str]:
    if host.grade is None:
        begin = f"No mail goes to {host.host} now" if host.reached else f"{host.host} was not reached"
        yield f"{begin}: {host.why} {_advice(host, report)}"
    elif rank(host.grade) < rank(demanded):
        yield f"{host.host} gives “{host.grade}”, and “{demanded}” is demanded: {host.why} {_advice(host, report)}"


def _advice(host: HostReport, report: DomainReport) -> str:
    """What to do, from what was seen."""
    ask = f"Ask the postmaster of {report.domain}"
    if not host.reached:
        return f"Look again later; if it stays so: {ask[0].lower()}{ask[1:]}."
    if host.grade is None and host.in_policy is False:
        return f"{ask} to name it in the MTA-STS policy, or to take it out of the MX records."
    if host.starttls is Starttls.NO:
        return f"{ask} to switch on STARTTLS with TLS 1.2 or later."
    if host.starttls is Starttls.UNKNOWN and host.grade is None and host.certificate is None:
        return f"{ask} whether it was switched off; if not, look for what changes mail on the way, such as a firewall."
    if host.dane.state is DaneState.FOUND:
        return f"{ask} whether the TLSA records are those of the certificate in use."
    if report.pin:
        return f"{ask}, by telephone, what changed, and then put the pin “{report.pin}” right."
    if host.certificate is not None:
        return (
            f"{ask} for a certificate for this name from a public authority, or pin its key when they have confirmed"
            f' it by telephone: fingerprints = ["{host.certificate.fingerprint}"].'
        )
    return f"{ask}."


def _ending(host: HostReport, report: DomainReport) -> Iterator[str]:
    """A certificate that has ended or soon will, unless nobody looks at its dates (RFC 7672 section 3.1.1)."""
    seen = host.certificate
    usages = {record[:1] for record in host.dane.records}
    by_key = host.grade is Grade.DANE and usages == {_DANE_EE}
    if seen is None or seen.not_after is None or by_key or seen.not_after - report.at > SOON:
        return
    if host.grade is Grade.PINNED and seen.not_after < report.at:
        return  # Mail goes all the same: it is the key that was pinned.
    left = (seen.not_after - report.at).days
    when = f"ended on {seen.not_after:%Y-%m-%d}" if left < 0 else f"ends on {seen.not_after:%Y-%m-%d}, in {left} days"
    yield f"The certificate of {host.host} {when}. Ask the postmaster of {report.domain} to renew it."


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is other than before; ``worse`` if mail is less protected by it, or may become so."""

    text: str
    worse: bool = False


def drift(before: DomainReport, after: DomainReport) -> tuple[Change, ...]:
    """What changed; what could not be told this time or last time has not changed."""
    return (*_hosts(before, after), *_each_host(before, after), *_sts(before, after))


def _hosts(before: DomainReport, after: DomainReport) -> Iterator[Change]:
    old, new = ([host.host for host in report.hosts] for report in (before, after))
    if old and new:
        yield from (Change(f"{host} is a new mail host of {after.domain}.") for host in new if host not in old)
        yield from (Change(f"{host} is no mail host of {after.domain} any more.") for host in old if host not in new)


def _each_host(before: DomainReport, after: DomainReport) -> Iterator[Change]:
    known = {host.host: host for host in before.hosts}
    for host in after.hosts:
        if host.host in known:
            yield from _dane(known[host.host], host)
            if host.reached and known[host.host].reached:
                yield from _grade(known[host.host], host)
                yield from _key(known[host.host], host)


def _grade(before: HostReport, after: HostReport) -> Iterator[Change]:
    if before.grade is not after.grade:
        worse = rank(after.grade) < rank(before.grade)
        was, now = (f"“{grade}”" if grade else "“no mail is handed over”" for grade in (before.grade, after.grade))
        yield Change(f"{after.host} went {'down' if worse else 'up'} from {was} to {now}.", worse)


def _key(before: HostReport, after: HostReport) -> Iterator[Change]:
    old, new = (host.certificate.fingerprint if host.certificate else "" for host in (before, after))
    if old and new and old != new:
        yield Change(f"The certificate of {after.host} has another key: {new}, before {old}.")


def _dane(before: HostReport, after: HostReport) -> Iterator[Change]:
    states = {before.dane.state, after.dane.state}
    if len(states) == 1 or DaneState.UNKNOWN in states or DaneState.FOUND not in states:
        return
    if after.dane.state is DaneState.FOUND:
        yield Change(f"{after.host} has TLSA records now.")
    else:
        yield Change(f"The TLSA records of {after.host} protect no longer: {after.dane.reason}.", worse=True)


def _sts(before: DomainReport, after: DomainReport) -> Iterator[Change]:
    old, new = before.sts.state, after.sts.state
    if old is not new and StsState.UNKNOWN not in (old, new):
        worse = _STS_STRENGTH[new] < _STS_STRENGTH[old]
        yield Change(f"The MTA-STS policy of {after.domain} went from “{old}” to “{new}”.", worse)


def settled(before: DomainReport | None, after: DomainReport) -> DomainReport:
    """What is kept to compare with next time: what could not be told today stands as it was."""
    if before is None:
        return after
    if not after.hosts:
        return replace(before, at=after.at)
    known = {host.host: host for host in before.hosts if host.reached}
    hosts = tuple(host if host.reached else known.get(host.host, host) for host in after.hosts)
    return replace(after, hosts=hosts, sts=before.sts if after.sts.state is StsState.UNKNOWN else after.sts)
